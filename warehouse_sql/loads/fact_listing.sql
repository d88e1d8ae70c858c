-- infer: public.dim_user (user_id) from raw.listings (seller_id)
SELECT
    CAST(l.id AS BIGINT)      AS listing_id,
    COALESCE(d.date_key, -1)  AS listed_date_key,
    COALESCE(u.user_key, -1)  AS seller_key,
    COALESCE(e.event_key, -1) AS event_key,
    l.section                 AS section,
    l."row"                   AS seat_row,
    l.quantity                AS tickets,
    l.price                   AS price,
    l.status                  AS status,
    l.delivery                AS delivery,
    l.created_at              AS listed_at
FROM raw.listings l
LEFT JOIN public.dim_event e ON e.event_id = l.event_id
LEFT JOIN public.dim_date d
    ON d.full_date = CAST((l.created_at AT TIME ZONE 'UTC') AT TIME ZONE '{timezone}' AS DATE)
LEFT JOIN public.dim_user u
    ON u.user_id = l.seller_id
    AND d.full_date >= u.valid_from AND d.full_date < u.valid_to
