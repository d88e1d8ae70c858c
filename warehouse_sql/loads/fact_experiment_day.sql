SELECT
    COALESCE(d.date_key, -1)       AS date_key,
    COALESCE(x.experiment_key, -1) AS experiment_key,
    s.alternative                  AS alternative,
    COALESCE(s.kpi, '')            AS kpi,
    s.participants                 AS participants,
    s.conversions                  AS conversions
FROM {stage} s
LEFT JOIN public.dim_date d ON d.full_date = s.date
LEFT JOIN public.dim_experiment x
    ON x.experiment = s.experiment AND x.created_at = COALESCE(s.created_at, TIMESTAMP '1970-01-01')
