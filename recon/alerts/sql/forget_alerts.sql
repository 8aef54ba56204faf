-- $1 older than this, $2 at most so many. Messages of which nothing is on its way go, with their
-- deliveries; what they told stays known. How many went.
WITH gone AS (
    DELETE FROM alerts
    WHERE
        alert_id IN (
            SELECT a.alert_id
            FROM alerts AS a
            WHERE
                a.created_at < clock_timestamp() - $1::interval
                AND NOT EXISTS (
                    SELECT
                    FROM alert_deliveries AS d
                    WHERE d.alert_id = a.alert_id AND d.state = 'pending'
                )
            ORDER BY a.alert_id
            LIMIT $2
        )
    RETURNING alert_id
)

SELECT count(*) FROM gone
