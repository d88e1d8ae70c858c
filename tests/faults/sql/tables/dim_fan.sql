-- Who came, as the shop has them now.
CREATE TABLE public.dim_fan (
    fan_key BIGINT       NOT NULL PRIMARY KEY,
    fan_id  BIGINT       NOT NULL DEFAULT -1,
    name    VARCHAR(200) NOT NULL DEFAULT 'unknown',
    email   VARCHAR(200),
    city    VARCHAR(200)
);
