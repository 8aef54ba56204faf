-- $1 id, $2 how often. Begins one, unless one is under way or the last began less than that ago;
-- the first once the first seal is as old. What a clock that was ahead has written keeps none
-- waiting.
INSERT INTO verifications (verification_id)
SELECT $1
WHERE
    EXISTS (
        SELECT
        FROM seals
        WHERE number = 1 AND sealed_at <= clock_timestamp() - $2::interval
    )
    AND NOT EXISTS (
        SELECT
        FROM verifications
        WHERE
            state = 'running'
            OR started_at BETWEEN clock_timestamp() - $2::interval AND clock_timestamp()
    )
ON CONFLICT DO NOTHING
