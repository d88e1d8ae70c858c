SELECT
    v.id                  AS venue_id,
    v.name                AS name,
    v.city                AS city,
    NULLIF(v.capacity, 0) AS capacity
FROM raw.venues v
