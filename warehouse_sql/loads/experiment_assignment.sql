SELECT
    s.experiment                                   AS experiment,
    COALESCE(s.created_at, TIMESTAMP '1970-01-01') AS created_at,
    s.client_id                                    AS client_id,
    COALESCE(s.alternative, '')                    AS alternative,
    s.participated_on                              AS participated_on,
    s.excluded                                     AS is_excluded,
    s.converted_on                                 AS converted_on,
    s.kpis                                         AS kpis
FROM {stage} s
