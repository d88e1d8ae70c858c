SELECT
    e.id                      AS event_id,
    e.title                   AS title,
    e.category                AS category,
    e.performer               AS performer,
    COALESCE(v.venue_key, -1) AS venue_key,
    e.starts_at               AS starts_at,
    COALESCE(d.date_key, -1)  AS start_date_key,
    e.doors_at                AS doors_seconds,
    e.season_year             AS season_year,
    e.status                  AS status
FROM raw.events e
LEFT JOIN public.dim_venue v ON v.venue_id = e.venue_id
LEFT JOIN public.dim_date d
    ON d.full_date = CAST((e.starts_at AT TIME ZONE 'UTC') AT TIME ZONE '{timezone}' AS DATE)
