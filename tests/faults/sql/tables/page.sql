-- Scans that do not compress, and so travel in several pieces.
CREATE TABLE public.page (
    id   INTEGER        NOT NULL PRIMARY KEY,
    scan VARCHAR(65535) NOT NULL
);
