SELECT
    CAST(u.id AS BIGINT)         AS user_id,
    u.email                      AS email,
    u.name                       AS name,
    u.city                       AS city,
    COALESCE(u.country, 'unknown') AS country,
    u.birth_date                 AS birth_date,
    u.is_active = 1              AS is_active,
    u.marketing_opt_in           AS marketing_opt_in,
    u.created_at                 AS signed_up_at,
    COALESCE(d.date_key, -1)     AS signup_date_key
FROM raw.users u
LEFT JOIN public.dim_date d
    ON d.full_date = CAST((u.created_at AT TIME ZONE 'UTC') AT TIME ZONE '{timezone}' AS DATE)
