-- $1 run, $2 users and $3 discrepancies in parallel: the run found that these agree.
INSERT INTO run_discrepancies (
    run_id, user_id, discrepancy_id, currency, standing, difference, explained, unexplained
)
SELECT
    $1,
    d.user_id,
    d.discrepancy_id,
    d.currency,
    'healed',
    0,
    0,
    0
FROM unnest($2::text[], $3::uuid[]) AS h (user_id, discrepancy_id)
INNER JOIN discrepancies AS d ON h.user_id = d.user_id AND h.discrepancy_id = d.discrepancy_id
ON CONFLICT DO NOTHING
