-- $1 hash of the token, $2 idle timeout, $3 absolute lifetime, $4 whether navigation stands around
-- what is asked for. No row: nobody is signed in. What the navigation counts comes with it, of each
-- at most a thousand: it stands on every page, and a thousand says as much as a million.
SELECT
    v.session_hash,
    v.name,
    s.role,
    v.last_seen_at < clock_timestamp() - interval '1 minute' AS to_touch,
    n.open_rows,
    n.waiting
FROM sessions AS v
INNER JOIN staff AS s ON v.name = s.name
LEFT JOIN LATERAL (
    SELECT
        (
            SELECT count(*)
            FROM (
                SELECT 1
                FROM discrepancies AS d
                WHERE d.status IN ('open', 'investigating', 'awaiting_approval')
                LIMIT 1000 -- noqa: AM09
            ) AS counted
        ) AS open_rows,
        (
            SELECT count(*)
            FROM (
                SELECT 1
                FROM adjustments AS a
                WHERE a.state = 'proposed' AND a.proposed_by <> 'staff:' || v.name
                UNION ALL
                SELECT 1
                FROM bet_rulings AS b
                WHERE b.state = 'proposed' AND b.proposed_by <> 'staff:' || v.name
                LIMIT 1000 -- noqa: AM09
            ) AS counted
        ) AS waiting
) AS n ON $4::boolean
WHERE
    v.session_hash = $1
    AND v.revoked_at IS NULL
    AND s.disabled_at IS NULL
    AND v.last_seen_at > clock_timestamp() - $2::interval
    AND v.created_at > clock_timestamp() - $3::interval
