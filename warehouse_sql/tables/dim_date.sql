-- One row a day from 1990-01-01 to 2049-12-31, and the unknown day (-1).
-- redshift: DISTSTYLE ALL SORTKEY (date_key)
-- postgres: INDEX (full_date)
CREATE TABLE public.dim_date (
    date_key              INTEGER     NOT NULL PRIMARY KEY,              -- 20140203
    full_date             DATE,
    year                  SMALLINT,
    quarter               SMALLINT,
    month                 SMALLINT,
    day                   SMALLINT,
    day_of_year           SMALLINT,
    iso_year              SMALLINT,                                      -- the year that the ISO week belongs to
    iso_week              SMALLINT,
    year_quarter          VARCHAR(7)  NOT NULL DEFAULT 'unknown',        -- 2014-Q1
    year_month            VARCHAR(7)  NOT NULL DEFAULT 'unknown',        -- 2014-02
    iso_year_week         VARCHAR(8)  NOT NULL DEFAULT 'unknown',        -- 2014-W06
    month_name            VARCHAR(9)  NOT NULL DEFAULT 'unknown',
    month_short_name      VARCHAR(3)  NOT NULL DEFAULT '?',
    day_name              VARCHAR(9)  NOT NULL DEFAULT 'unknown',
    day_short_name        VARCHAR(3)  NOT NULL DEFAULT '?',
    day_of_week           SMALLINT,                                      -- Monday is 1
    is_weekend            SMALLINT    NOT NULL DEFAULT 0,
    is_first_day_in_month SMALLINT    NOT NULL DEFAULT 0,
    is_last_day_in_month  SMALLINT    NOT NULL DEFAULT 0,
    fiscal_year           SMALLINT,                                      -- the calendar year in which it ends
    fiscal_quarter        SMALLINT,
    fiscal_month          SMALLINT,
    is_holiday            SMALLINT    NOT NULL DEFAULT 0,
    holiday_name          VARCHAR(200)
);
