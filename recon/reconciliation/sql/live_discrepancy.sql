-- $1 user, $2 currency, $3 available and $4 held difference, $5 for how long a closed one may come
-- back. The wallet's discrepancy that is still alive, else the newest that has closed, if it was of
-- these very differences; locked.
SELECT
    discrepancy_id,
    status,
    available_difference,
    held_difference,
    cause,
    severity
FROM discrepancies
WHERE
    user_id = $1
    AND currency = $2
    AND (
        status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
        OR (
            closed_at > clock_timestamp() - $5::interval
            AND available_difference = $3
            AND held_difference = $4
            -- What has closed later was of another difference: this one's life is over.
            AND closed_at >= (
                SELECT max(n.closed_at)
                FROM discrepancies AS n
                WHERE n.user_id = $1 AND n.currency = $2
            )
        )
    )
ORDER BY closed_at IS NOT NULL, closed_at DESC
LIMIT 1
FOR NO KEY UPDATE
