SELECT
    v.id                           AS venue_id,
    v.name                         AS name,
    COALESCE(v.city, 'unknown')    AS city,
    COALESCE(v.state, 'unknown')   AS state,
    COALESCE(v.country, 'unknown') AS country,
    NULLIF(v.capacity, 0)          AS capacity,
    v.latitude                     AS latitude,
    v.longitude                    AS longitude,
    v.opened_on                    AS opened_on
FROM raw.venues v
