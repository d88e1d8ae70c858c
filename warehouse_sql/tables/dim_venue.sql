-- Where events take place, as the shop has it now.
-- redshift: DISTSTYLE ALL SORTKEY (venue_key)
CREATE TABLE public.dim_venue (
    venue_key BIGINT       NOT NULL PRIMARY KEY,               -- ours; -1 is the unknown venue
    venue_id  BIGINT       NOT NULL DEFAULT -1,                -- the shop's
    name      VARCHAR(640) NOT NULL DEFAULT 'unknown',
    city      VARCHAR(320) NOT NULL DEFAULT 'unknown',
    state     VARCHAR(160) NOT NULL DEFAULT 'unknown',
    country   VARCHAR(8)   NOT NULL DEFAULT 'unknown',         -- ISO 3166-1 alpha-2
    capacity  BIGINT,                                          -- NULL: not known
    latitude  DECIMAL(9,6),
    longitude DECIMAL(9,6),
    opened_on DATE
);
