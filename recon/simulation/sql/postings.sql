-- What was booked for bets: each posting's key, `<bet>:<step>`, and its amount.
SELECT
    key,
    amount
FROM postings
WHERE source = 'bets'
ORDER BY key
