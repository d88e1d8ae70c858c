-- Everybody who ever had an account, or was named by a sale or listing before; where they lived, and since when.
-- history: city, country, is_active
CREATE TABLE public.dim_user (
    user_key         BIGINT       NOT NULL PRIMARY KEY,
    user_id          BIGINT       NOT NULL DEFAULT -1,
    email            VARCHAR(1020),
    name             VARCHAR(480),
    city             VARCHAR(320),
    country          VARCHAR(8)   NOT NULL DEFAULT 'unknown',
    is_active        BOOLEAN,
    marketing_opt_in BOOLEAN,
    signed_up_at     TIMESTAMP,
    is_inferred      BOOLEAN      NOT NULL DEFAULT FALSE,
    valid_from       DATE         NOT NULL DEFAULT '0001-01-01',
    valid_to         DATE         NOT NULL DEFAULT '9999-12-31',  -- exclusive
    is_current       BOOLEAN      NOT NULL DEFAULT TRUE
);
