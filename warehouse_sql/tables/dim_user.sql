-- Everybody who ever had an account, as their row is now; users deleted at the source stay.
-- redshift: DISTSTYLE ALL SORTKEY (user_key)
CREATE TABLE public.dim_user (
    user_key         BIGINT       NOT NULL PRIMARY KEY,        -- ours; -1 is the unknown user
    user_id          BIGINT       NOT NULL DEFAULT -1,         -- the shop's
    email            VARCHAR(1020),
    name             VARCHAR(480),
    city             VARCHAR(320),
    country          VARCHAR(8)   NOT NULL DEFAULT 'unknown',  -- ISO 3166-1 alpha-2
    birth_date       DATE,
    is_active        BOOLEAN,
    marketing_opt_in BOOLEAN,                                  -- NULL: never asked
    signed_up_at     TIMESTAMP,                                -- UTC
    signup_date_key  INTEGER      NOT NULL DEFAULT -1
);
