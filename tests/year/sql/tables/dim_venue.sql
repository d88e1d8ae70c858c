-- Where events take place, as the shop had it last.
CREATE TABLE public.dim_venue (
    venue_key   BIGINT       NOT NULL PRIMARY KEY,
    venue_id    BIGINT       NOT NULL DEFAULT -1,
    name        VARCHAR(640) NOT NULL DEFAULT 'unknown',
    city        VARCHAR(320),
    capacity    BIGINT,
    is_inferred BOOLEAN      NOT NULL DEFAULT FALSE
);
