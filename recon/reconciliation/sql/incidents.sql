-- $1 only open ones, $2 only this one (null: any), $3 only before this one (null: from the newest),
-- $4 how many. Newest first, with what their discrepancies come to by currency; $5 as many of each
-- added up at most (null: all).
SELECT
    i.incident_id,
    i.cause,
    i.root,
    i.from_at,
    i.until_at,
    i.opened_at,
    i.closed_at,
    i.looked,
    i.differed,
    p.parts
FROM incidents AS i
LEFT JOIN LATERAL (
    SELECT coalesce(jsonb_agg(to_jsonb(c) ORDER BY c.currency), '[]') AS parts
    FROM (
        SELECT
            d.currency,
            count(*) AS discrepancies,
            count(*) FILTER (WHERE d.closed_at IS NULL) AS still_open,
            sum(d.difference)::text AS difference
        FROM (
            SELECT
                o.currency,
                o.closed_at,
                o.difference
            FROM discrepancies AS o
            WHERE o.incident_id = i.incident_id
            LIMIT $5 -- noqa: AM09
        ) AS d
        GROUP BY d.currency
    ) AS c
) AS p ON true
WHERE
    (NOT $1::boolean OR i.closed_at IS NULL)
    AND ($2::uuid IS NULL OR i.incident_id = $2)
    AND ($3::uuid IS NULL OR i.incident_id < $3)
ORDER BY i.incident_id DESC
LIMIT $4
