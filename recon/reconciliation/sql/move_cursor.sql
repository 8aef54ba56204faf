-- $1 run, $2 the range's first user, $3 our fence, $4 user and $5 currency of the last wallet done,
-- $6 whether the range is done, $7 more wallets that the game told of, $8 how many of them
-- differed, both without those that have a discrepancy already. No row: another worker has taken
-- the range over.
UPDATE run_ranges
SET
    at_user = $4,
    at_currency = $5,
    claimed_at = clock_timestamp(),
    finished_at = CASE WHEN $6::boolean THEN clock_timestamp() END,
    under_way = 0,
    looked = looked + $7,
    differed = differed + $8
WHERE run_id = $1 AND first_user = $2 AND fence = $3
RETURNING
    looked,
    differed,
    suspected,
    excused
