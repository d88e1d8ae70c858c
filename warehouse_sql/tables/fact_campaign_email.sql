-- One row an e-mail that a campaign sent, with what became of it.
-- redshift: DISTKEY (user_key) SORTKEY (date_key)
-- postgres: INDEX (date_key)
-- foreign key: date_key -> public.dim_date (date_key)
-- foreign key: user_key -> public.dim_user (user_key)
-- foreign key: event_key -> public.dim_event (event_key)
CREATE TABLE public.fact_campaign_email (
    message_id VARCHAR(200)  NOT NULL PRIMARY KEY,
    date_key   INTEGER       NOT NULL,                         -- the day the provider reported
    user_key   BIGINT        NOT NULL,
    event_key  BIGINT        NOT NULL,
    campaign   VARCHAR(400)  NOT NULL,
    sent_at    TIMESTAMP     NOT NULL,                         -- UTC
    opened_at  TIMESTAMP,
    clicked_at TIMESTAMP,
    is_bounced BOOLEAN       NOT NULL,
    revenue    DECIMAL(12,2)                                   -- NULL: nothing was bought
);
