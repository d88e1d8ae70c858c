-- infer: public.dim_venue (venue_id) from raw.events (venue_id)
SELECT
    e.id                      AS event_id,
    e.title                   AS title,
    COALESCE(v.venue_key, -1) AS venue_key,
    e.starts_at               AS starts_at,
    e.status                  AS status
FROM raw.events e
LEFT JOIN public.dim_venue v ON v.venue_id = e.venue_id
