SELECT
    CAST(u.id AS BIGINT)           AS user_id,
    u.email                        AS email,
    u.name                         AS name,
    u.city                         AS city,
    COALESCE(u.country, 'unknown') AS country,
    u.is_active = 1                AS is_active,
    u.marketing_opt_in             AS marketing_opt_in,
    u.created_at                   AS signed_up_at
FROM raw.users u
WHERE u.deleted_at IS NULL
