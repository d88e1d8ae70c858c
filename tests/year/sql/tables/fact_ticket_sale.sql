-- One row a sale that the shop has, its buyer as of its own day.
-- foreign key: sold_date_key -> public.dim_date (date_key)
-- foreign key: buyer_key -> public.dim_user (user_key)
-- foreign key: event_key -> public.dim_event (event_key)
-- foreign key: venue_key -> public.dim_venue (venue_key)
CREATE TABLE public.fact_ticket_sale (
    sale_id       BIGINT         NOT NULL PRIMARY KEY,
    sold_date_key INTEGER        NOT NULL,
    buyer_key     BIGINT         NOT NULL,
    event_key     BIGINT         NOT NULL,
    venue_key     BIGINT         NOT NULL,
    status        VARCHAR(40)    NOT NULL,
    gross         DECIMAL(16,2)  NOT NULL,
    discount      DECIMAL(10,2)  NOT NULL,
    note          VARCHAR(65535),
    sold_at       TIMESTAMP      NOT NULL
);
