-- One row a search on the site.
-- redshift: DISTKEY (user_key) SORTKEY (date_key)
-- postgres: INDEX (date_key)
-- foreign key: date_key -> public.dim_date (date_key)
-- foreign key: user_key -> public.dim_user (user_key)
-- foreign key: clicked_event_key -> public.dim_event (event_key)
CREATE TABLE public.fact_search (
    search_id         VARCHAR(200)  NOT NULL PRIMARY KEY,
    date_key          INTEGER       NOT NULL,
    user_key          BIGINT        NOT NULL,                  -- -1: not signed in
    clicked_event_key BIGINT        NOT NULL,                  -- -1: clicked nothing
    session           VARCHAR(200),
    query             VARCHAR(65535),
    category          VARCHAR(4000),                           -- a JSON list where several were ticked
    results           INTEGER,
    took_ms           INTEGER,
    price_max         DECIMAL(12,2),
    searched_at       TIMESTAMP     NOT NULL                   -- UTC
);
