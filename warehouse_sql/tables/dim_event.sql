-- What tickets are sold for, with its venue.
-- redshift: DISTSTYLE ALL SORTKEY (event_key)
-- foreign key: venue_key -> public.dim_venue (venue_key)
-- foreign key: start_date_key -> public.dim_date (date_key)
CREATE TABLE public.dim_event (
    event_key      BIGINT       NOT NULL PRIMARY KEY,          -- ours; -1 is the unknown event
    event_id       BIGINT       NOT NULL DEFAULT -1,           -- the shop's
    title          VARCHAR(800) NOT NULL DEFAULT 'unknown',
    category       VARCHAR(160) NOT NULL DEFAULT 'unknown',
    performer      VARCHAR(640),
    venue_key      BIGINT       NOT NULL DEFAULT -1,
    starts_at      TIMESTAMP,                                  -- UTC
    start_date_key INTEGER      NOT NULL DEFAULT -1,
    doors_seconds  DECIMAL(12,6),                              -- after midnight
    season_year    SMALLINT,                                   -- leagues only
    status         VARCHAR(40)  NOT NULL DEFAULT 'unknown'
);
