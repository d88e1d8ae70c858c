SELECT
    x.experiment                                       AS experiment,
    COALESCE(x.created_at, TIMESTAMP '1970-01-01')     AS created_at,
    x.description                                      AS description,
    x.traffic_fraction                                 AS traffic_fraction,
    x.archived                                         AS is_archived,
    x.paused                                           AS is_paused,
    x.winner                                           AS winner,
    x.kpi_winners                                      AS kpi_winners,
    x.control                                          AS control,
    x.alternatives                                     AS alternatives
FROM {stage} x
