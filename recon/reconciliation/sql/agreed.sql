-- $1 user, $2 currency, $3 differences of the available balance, any of which may be meant, $4 of
-- the held one. The wallet's version when it last agreed with the game and when that was; until
-- when the game is known to have taken every accepted withdrawal; and since when, as people were
-- shown, the very difference stands. One row, also where all of that is null.
SELECT
    c.agreed_version,
    c.agreed_at,
    c.taken_until,
    d.stands_since
FROM (VALUES (1)) AS one (row_no)
LEFT JOIN checks AS c ON c.user_id = $1 AND c.currency = $2
LEFT JOIN LATERAL (
    SELECT max(e.at) AS stands_since
    FROM discrepancies AS d
    INNER JOIN discrepancy_events AS e
        ON d.user_id = e.user_id AND d.discrepancy_id = e.discrepancy_id
    WHERE
        d.user_id = $1
        AND d.currency = $2
        AND d.status IN ('open', 'investigating', 'awaiting_approval', 'ignored')
        AND d.available_difference = any($3::numeric[])
        AND d.held_difference = $4
        AND e.action IN ('opened', 'changed', 'reopened')
) AS d ON true
