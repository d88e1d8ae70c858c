CREATE TABLE public.fact_item (
    id         BIGINT        NOT NULL PRIMARY KEY,
    name       VARCHAR(160)  NOT NULL,
    quantity   INTEGER       NOT NULL,
    price      DECIMAL(12,2) NOT NULL,
    updated_at TIMESTAMP     NOT NULL
);
