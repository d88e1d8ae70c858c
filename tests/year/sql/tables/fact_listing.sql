-- One row a listing that the shop ever had, its seller as of its own day.
-- foreign key: listed_date_key -> public.dim_date (date_key)
-- foreign key: seller_key -> public.dim_user (user_key)
-- foreign key: event_key -> public.dim_event (event_key)
CREATE TABLE public.fact_listing (
    listing_id      BIGINT        NOT NULL PRIMARY KEY,
    listed_date_key INTEGER       NOT NULL,
    seller_key      BIGINT        NOT NULL,
    event_key       BIGINT        NOT NULL,
    price           DECIMAL(10,2) NOT NULL,
    status          VARCHAR(40)   NOT NULL,
    is_deleted      BOOLEAN       NOT NULL
);
