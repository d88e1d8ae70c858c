-- Participants and conversions of one day. Rates belong to sums: people convert on later days than they join.
-- redshift: DISTSTYLE ALL SORTKEY (date_key)
-- foreign key: date_key -> public.dim_date (date_key)
-- foreign key: experiment_key -> public.dim_experiment (experiment_key)
CREATE TABLE public.fact_experiment_day (
    date_key       INTEGER      NOT NULL,
    experiment_key BIGINT       NOT NULL,
    alternative    VARCHAR(400) NOT NULL,
    kpi            VARCHAR(400) NOT NULL,                      -- '': a conversion without a KPI
    participants   BIGINT       NOT NULL,
    conversions    BIGINT       NOT NULL,
    PRIMARY KEY (date_key, experiment_key, alternative, kpi)
);
