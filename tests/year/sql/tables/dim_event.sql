-- What tickets are sold for, as the shop had it last.
-- foreign key: venue_key -> public.dim_venue (venue_key)
CREATE TABLE public.dim_event (
    event_key   BIGINT       NOT NULL PRIMARY KEY,
    event_id    BIGINT       NOT NULL DEFAULT -1,
    title       VARCHAR(800) NOT NULL DEFAULT 'unknown',
    venue_key   BIGINT       NOT NULL DEFAULT -1,
    starts_at   TIMESTAMP,
    status      VARCHAR(40)  NOT NULL DEFAULT 'unknown',
    is_inferred BOOLEAN      NOT NULL DEFAULT FALSE
);
