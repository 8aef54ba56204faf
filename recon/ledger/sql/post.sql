-- $1..$13 one array per column of an entry, all of one length; see ledger_post in
-- 0001_ledger.up.sql.
SELECT
    member,
    outcome,
    version,
    available,
    held,
    reserved
FROM ledger_post($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
