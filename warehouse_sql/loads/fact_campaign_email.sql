-- infer: public.dim_user (user_id) from {stage} (user_id)
SELECT
    m.message_id                       AS message_id,
    {date_key}                         AS date_key,
    COALESCE(u.user_key, -1)           AS user_key,
    COALESCE(e.event_key, -1)          AS event_key,
    m.campaign                         AS campaign,
    CAST(m.sent_at AS TIMESTAMP)       AS sent_at,
    CAST(m.opened_at AS TIMESTAMP)     AS opened_at,
    CAST(m.clicked_at AS TIMESTAMP)    AS clicked_at,
    CAST(m.bounced AS BOOLEAN)         AS is_bounced,
    CAST(m.revenue AS DECIMAL(12,2))   AS revenue
FROM {stage} m
LEFT JOIN public.dim_date d ON d.date_key = {date_key}
LEFT JOIN public.dim_user u
    ON u.user_id = CAST(m.user_id AS BIGINT)
    AND d.full_date >= u.valid_from AND d.full_date < u.valid_to
LEFT JOIN public.dim_event e ON e.event_id = CAST(m.event_id AS BIGINT)
