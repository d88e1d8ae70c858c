-- How each alternative of an A/B test converted, over its whole life, by KPI ('' is a plain conversion).
-- Rates are of sums, because people convert on later days than they join. The interval is Wilson's at 95%, which
-- stays within 0 and 1 for small numbers; a rate above 1 (one client, several conversions) has none.
WITH totals AS (
    SELECT
        f.experiment_key,
        f.alternative,
        f.kpi,
        CAST(SUM(f.participants) AS DOUBLE PRECISION) AS n,
        CAST(SUM(f.conversions) AS DOUBLE PRECISION)  AS k
    FROM public.fact_experiment_day f
    GROUP BY f.experiment_key, f.alternative, f.kpi
),
rates AS (
    SELECT
        t.*,
        CASE WHEN n > 0 THEN k / n END AS rate,
        CASE WHEN n > 0 AND k <= n THEN 1.959963984540054 * 1.959963984540054 / n END AS z2n
    FROM totals t
)
SELECT
    r.experiment_key                    AS experiment_key,
    e.experiment                        AS experiment,
    r.alternative                       AS alternative,
    r.kpi                               AS kpi,
    r.alternative = e.control           AS is_control,
    r.alternative = e.winner            AS is_winner,
    CAST(r.n AS BIGINT)                 AS participants,
    CAST(r.k AS BIGINT)                 AS conversions,
    r.rate                              AS rate,
    (r.rate + r.z2n / 2 - SQRT(r.z2n * (r.rate * (1 - r.rate) + r.z2n / 4))) / (1 + r.z2n) AS rate_low,
    (r.rate + r.z2n / 2 + SQRT(r.z2n * (r.rate * (1 - r.rate) + r.z2n / 4))) / (1 + r.z2n) AS rate_high
FROM rates r
JOIN public.dim_experiment e ON e.experiment_key = r.experiment_key
