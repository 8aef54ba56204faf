-- $1 ended before this: how its wallets were cut is no longer of use; the run itself stays.
WITH old AS (
    SELECT run_id
    FROM runs
    WHERE state <> 'running' AND finished_at < $1
),

wallets AS (
    DELETE FROM run_wallets
    WHERE run_id IN (SELECT o.run_id FROM old AS o)
)

DELETE FROM run_ranges
WHERE run_id IN (SELECT o.run_id FROM old AS o)
