-- One row a listing, as its status is now.
-- redshift: DISTKEY (event_key) SORTKEY (listed_date_key)
-- foreign key: listed_date_key -> public.dim_date (date_key)
-- foreign key: seller_key -> public.dim_user (user_key)
-- foreign key: event_key -> public.dim_event (event_key)
CREATE TABLE public.fact_listing (
    listing_id      BIGINT        NOT NULL PRIMARY KEY,
    listed_date_key INTEGER       NOT NULL,
    seller_key      BIGINT        NOT NULL,                    -- dim_user
    event_key       BIGINT        NOT NULL,
    section         VARCHAR(160)  NOT NULL,
    seat_row        VARCHAR(40),
    tickets         INTEGER       NOT NULL,
    price           DECIMAL(10,2) NOT NULL,                    -- one ticket
    status          VARCHAR(40)   NOT NULL,                    -- open, sold, withdrawn
    delivery        VARCHAR(100)  NOT NULL,
    listed_at       TIMESTAMP     NOT NULL                     -- UTC
);
