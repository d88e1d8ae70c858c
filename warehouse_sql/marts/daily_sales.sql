-- What was sold on each day, by event with its category and city. Paid sales only.
SELECT
    d.full_date                          AS sold_on,
    s.sold_date_key                      AS sold_date_key,
    s.event_key                          AS event_key,
    e.title                              AS event,
    e.category                           AS category,
    v.city                               AS city,
    COUNT(*)                             AS sales,
    SUM(s.tickets)                       AS tickets,
    SUM(s.gross)                         AS gross,
    SUM(s.fee)                           AS fees,
    SUM(s.discount)                      AS discounts,
    COUNT(DISTINCT NULLIF(u.user_id, -1)) AS buyers
FROM public.fact_ticket_sale s
JOIN public.dim_user u ON u.user_key = s.buyer_key
JOIN public.dim_event e ON e.event_key = s.event_key
JOIN public.dim_venue v ON v.venue_key = s.venue_key
JOIN public.dim_date d ON d.date_key = s.sold_date_key
WHERE s.status = 'paid'
GROUP BY d.full_date, s.sold_date_key, s.event_key, e.title, e.category, v.city
