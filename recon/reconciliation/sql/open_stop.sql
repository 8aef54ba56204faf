-- $1 incident, $2 the run that stopped, $3 wallets looked at, $4 how many of them differed. Opens
-- one about the game, or lets the open one reach until now; a row when it was opened.
WITH reached AS (
    UPDATE incidents
    SET until_at = clock_timestamp(), stopped_run_id = $2, looked = $3, differed = $4
    WHERE stopped_run_id IS NOT NULL AND closed_at IS NULL
    RETURNING incident_id
)

INSERT INTO incidents (
    incident_id, cause, root, from_at, until_at, stopped_run_id, looked, differed
)
SELECT
    $1,
    'unexplained',
    'the game',
    r.started_at,
    clock_timestamp(),
    $2,
    $3,
    $4
FROM runs AS r
WHERE r.run_id = $2 AND NOT EXISTS (SELECT FROM reached)
RETURNING incident_id
