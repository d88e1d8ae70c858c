SELECT
    CAST(l.id AS BIGINT) AS listing_id,
    l.updated_at         AS changed_at,
    l.price              AS price,
    l.status             AS status
FROM raw.listings l
