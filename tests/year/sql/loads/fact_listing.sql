-- Those that have changed since the last night, and those of this very day and later: their sellers' history may
-- have got a version that begins with it.
-- infer: public.dim_user (user_id) from raw.listings (seller_id)
-- infer: public.dim_event (event_id) from raw.listings (event_id)
SELECT
    CAST(l.id AS BIGINT)      AS listing_id,
    COALESCE(d.date_key, -1)  AS listed_date_key,
    COALESCE(u.user_key, -1)  AS seller_key,
    COALESCE(e.event_key, -1) AS event_key,
    l.price                   AS price,
    l.status                  AS status,
    l.deleted_at IS NOT NULL  AS is_deleted
FROM raw.listings l
LEFT JOIN public.dim_date d
    ON d.full_date = CAST((l.created_at AT TIME ZONE 'UTC') AT TIME ZONE '{timezone}' AS DATE)
LEFT JOIN public.dim_user u
    ON u.user_id = l.seller_id AND d.full_date >= u.valid_from AND d.full_date < u.valid_to
LEFT JOIN public.dim_event e ON e.event_id = l.event_id
WHERE l.loaded_at > {since raw.listings} OR d.date_key >= {date_key}
