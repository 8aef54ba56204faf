-- How much the books hold.
SELECT
    (SELECT count(*) FROM public.postings) AS postings,
    (SELECT count(*) FROM public.wallets WHERE version > 0) AS wallets,
    (SELECT count(*) FROM public.deliveries) AS deliveries
