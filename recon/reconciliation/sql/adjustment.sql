-- $1 adjustment, and how it stands now.
SELECT j.* -- noqa: AM04
FROM adjustments_now() AS j
WHERE j.adjustment_id = $1
