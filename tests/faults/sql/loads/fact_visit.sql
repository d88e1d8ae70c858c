SELECT
    v.id                                             AS visit_id,
    CAST(TO_CHAR(v.visited_on, 'YYYYMMDD') AS INTEGER) AS date_key,
    COALESCE(f.fan_key, -1)                          AS fan_key,
    v.gate                                           AS gate,
    v.seconds                                        AS seconds
FROM {stage} v
LEFT JOIN public.dim_fan f ON f.fan_id = v.fan_id
