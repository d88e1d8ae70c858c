-- Who saw which alternative. Archiving an experiment deletes this at the source, so nothing is deleted here.
CREATE TABLE raw.experiment_assignment (
    experiment      VARCHAR(400)  NOT NULL,
    created_at      TIMESTAMP     NOT NULL,
    client_id       VARCHAR(4000) NOT NULL,
    alternative     VARCHAR(400)  NOT NULL,                             -- '': outside the traffic fraction
    participated_on DATE,
    is_excluded     BOOLEAN       NOT NULL,
    converted_on    DATE,
    kpis            VARCHAR(4000),                                      -- JSON: KPI to the day of its conversion
    PRIMARY KEY (experiment, created_at, client_id, alternative)
);
