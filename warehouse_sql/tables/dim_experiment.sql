-- A/B tests. A name that was reset or deleted and used again is another experiment, told by created_at.
-- redshift: DISTSTYLE ALL SORTKEY (experiment_key)
CREATE TABLE public.dim_experiment (
    experiment_key   BIGINT        NOT NULL PRIMARY KEY,                -- ours; -1 is the unknown experiment
    experiment       VARCHAR(400)  NOT NULL DEFAULT 'unknown',
    created_at       TIMESTAMP     NOT NULL DEFAULT '1970-01-01',       -- Sixpack's local time; 1970 where it lost it
    description      VARCHAR(4000),
    traffic_fraction DOUBLE PRECISION,                                  -- share of clients that take part
    is_archived      BOOLEAN       NOT NULL DEFAULT FALSE,
    is_paused        BOOLEAN       NOT NULL DEFAULT FALSE,
    winner           VARCHAR(400),                                      -- of the plain conversion
    kpi_winners      VARCHAR(4000),                                     -- JSON: KPI to alternative
    control          VARCHAR(400),
    alternatives     VARCHAR(4000)                                      -- a JSON list, the control first
);
