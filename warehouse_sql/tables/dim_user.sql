-- Everybody who ever had an account, once for each place they lived in while we watched; join facts as of their day.
-- Users deleted at the source stay. Who is known from a fact only is inferred, until their row arrives.
-- history: city, country
-- redshift: DISTSTYLE ALL SORTKEY (user_key)
-- postgres: INDEX (user_id)
CREATE TABLE public.dim_user (
    user_key         BIGINT       NOT NULL PRIMARY KEY,        -- ours, one a version; -1 is the unknown user
    user_id          BIGINT       NOT NULL DEFAULT -1,         -- the shop's
    email            VARCHAR(1020),
    name             VARCHAR(480),
    city             VARCHAR(320),
    country          VARCHAR(8)   NOT NULL DEFAULT 'unknown',  -- ISO 3166-1 alpha-2
    birth_date       DATE,
    is_active        BOOLEAN,
    marketing_opt_in BOOLEAN,                                  -- NULL: never asked
    signed_up_at     TIMESTAMP,                                -- UTC
    signup_date_key  INTEGER      NOT NULL DEFAULT -1,
    valid_from       DATE         NOT NULL DEFAULT DATE '0001-01-01',
    valid_to         DATE         NOT NULL DEFAULT DATE '9999-12-31',  -- the first day that it is not
    is_current       BOOLEAN      NOT NULL DEFAULT TRUE,
    is_inferred      BOOLEAN      NOT NULL DEFAULT FALSE
);
