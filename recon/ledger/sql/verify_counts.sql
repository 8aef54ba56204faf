-- How much the books hold.
SELECT
    (SELECT count(*) FROM postings) AS postings,
    (SELECT count(*) FROM wallets WHERE version > 0) AS wallets,
    (SELECT count(*) FROM deliveries) AS deliveries
