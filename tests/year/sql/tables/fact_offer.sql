-- One row for each state of a listing that a night has seen. What was offered once is never taken back.
CREATE TABLE public.fact_offer (
    listing_id BIGINT        NOT NULL,
    changed_at TIMESTAMPTZ   NOT NULL,
    price      DECIMAL(10,2) NOT NULL,
    status     VARCHAR(40)   NOT NULL,
    PRIMARY KEY (listing_id, changed_at)
);
