-- infer: public.dim_user (user_id) from {stage} (user_id)
SELECT
    s.search_id                            AS search_id,
    {date_key}                             AS date_key,
    COALESCE(u.user_key, -1)               AS user_key,
    COALESCE(e.event_key, -1)              AS clicked_event_key,
    s.session                              AS session,
    s.query_text                           AS query,
    s.category                             AS category,
    CAST(s.results AS INTEGER)             AS results,
    CAST(s.took_ms AS INTEGER)             AS took_ms,
    CAST(s.price_max AS DECIMAL(12,2))     AS price_max,
    CAST(s.searched_at AS TIMESTAMP)       AS searched_at
FROM {stage} s
LEFT JOIN public.dim_date d ON d.date_key = {date_key}
LEFT JOIN public.dim_user u
    ON u.user_id = CAST(s.user_id AS BIGINT)
    AND d.full_date >= u.valid_from AND d.full_date < u.valid_to
LEFT JOIN public.dim_event e ON e.event_id = CAST(s.event_clicked AS BIGINT)
