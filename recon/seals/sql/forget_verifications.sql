-- $1 begun before this. Drops them, but for the newest hundred.
DELETE FROM verifications
WHERE
    started_at < $1
    AND state <> 'running'
    AND verification_id NOT IN (
        SELECT verification_id
        FROM verifications
        ORDER BY started_at DESC
        LIMIT 100
    )
