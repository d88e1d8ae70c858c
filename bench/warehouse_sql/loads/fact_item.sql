SELECT
    i.id         AS id,
    i.name       AS name,
    i.quantity   AS quantity,
    i.price      AS price,
    i.updated_at AS updated_at
FROM raw.items i
WHERE i.loaded_at > {since raw.items}
