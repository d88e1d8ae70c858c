-- One row a visit, written once and never changed.
-- foreign key: fan_key -> public.dim_fan (fan_key)
CREATE TABLE public.fact_visit (
    visit_id BIGINT  NOT NULL PRIMARY KEY,
    date_key INTEGER NOT NULL,
    fan_key  BIGINT  NOT NULL,
    gate     VARCHAR(20),
    seconds  INTEGER NOT NULL
);
