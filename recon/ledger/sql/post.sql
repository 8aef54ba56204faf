-- $1 a ledger_entry each; see ledger_post in 0001_ledger.up.sql. Amounts are digits both ways,
-- which are sent several times as fast as numerics.
SELECT
    outcome,
    version,
    available::text,
    held::text,
    reserved::text
FROM ledger_post($1)
