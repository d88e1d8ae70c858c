-- infer: public.dim_user (user_id) from raw.ticket_sales (buyer_id)
-- infer: public.dim_event (event_id) from raw.ticket_sales (event_id)
SELECT
    CAST(s.id AS BIGINT)       AS sale_id,
    COALESCE(d.date_key, -1)   AS sold_date_key,
    COALESCE(u.user_key, -1)   AS buyer_key,
    COALESCE(e.event_key, -1)  AS event_key,
    COALESCE(e.venue_key, -1)  AS venue_key,
    s.status                   AS status,
    s.quantity * s.unit_price  AS gross,
    COALESCE(s.discount, 0)    AS discount,
    s.note                     AS note,
    s.sold_at                  AS sold_at
FROM raw.ticket_sales s
LEFT JOIN public.dim_date d
    ON d.full_date = CAST((s.sold_at AT TIME ZONE 'UTC') AT TIME ZONE '{timezone}' AS DATE)
LEFT JOIN public.dim_user u
    ON u.user_id = s.buyer_id AND d.full_date >= u.valid_from AND d.full_date < u.valid_to
LEFT JOIN public.dim_event e ON e.event_id = s.event_id
