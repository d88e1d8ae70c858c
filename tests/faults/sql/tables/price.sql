-- Every seat's price, as it is now.
CREATE TABLE public.price (
    id    BIGINT        NOT NULL PRIMARY KEY,
    seat  VARCHAR(100)  NOT NULL,
    price DECIMAL(10,2) NOT NULL,
    note  VARCHAR(200)
);
