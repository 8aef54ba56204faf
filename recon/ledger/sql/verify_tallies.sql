-- What the overview tells of open discrepancies, where it is not what these add up to: by currency,
-- cause, minute and whether all is explained; what is older than people tell apart has no minute.
SELECT
    '' AS user_id,
    s.currency,
    format(
        '%s, %s, first seen %s: the overview counts %s open discrepancies, out by %s, too many',
        s.cause,
        CASE WHEN s.is_unexplained THEN 'not all of it explained' ELSE 'explained' END,
        CASE
            WHEN s.seen_at = '-infinity' THEN 'over a week ago'
            ELSE to_char(s.seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI"Z"')
        END,
        sum(s.discrepancies),
        sum(s.net)
    ) AS detail
FROM (
    SELECT
        t.currency,
        t.cause,
        -- Eight days later the minutes are folded, see fold_tallies.sql.
        CASE
            WHEN t.seen_at < now() - interval '7 days 23 hours' THEN '-infinity'::timestamptz
            ELSE t.seen_at
        END AS seen_at,
        t.is_unexplained,
        t.discrepancies,
        t.net,
        t.gross,
        t.unexplained
    FROM public.discrepancy_tallies AS t
    UNION ALL
    SELECT
        d.currency,
        d.cause,
        CASE
            WHEN
                date_trunc('minute', d.first_seen_at, 'UTC') < now() - interval '7 days 23 hours'
                THEN '-infinity'::timestamptz
            ELSE date_trunc('minute', d.first_seen_at, 'UTC')
        END AS seen_at,
        d.unexplained <> 0 AS is_unexplained,
        -count(*) AS discrepancies,
        -sum(d.difference) AS net,
        -sum(abs(d.difference)) AS gross,
        -sum(abs(d.unexplained)) AS unexplained
    FROM public.discrepancies AS d
    WHERE d.status IN ('open', 'investigating', 'awaiting_approval')
    GROUP BY d.currency, d.cause, seen_at, is_unexplained
) AS s
GROUP BY s.currency, s.cause, s.seen_at, s.is_unexplained
HAVING
    sum(s.discrepancies) <> 0
    OR sum(s.net) <> 0
    OR sum(s.gross) <> 0
    OR sum(s.unexplained) <> 0
ORDER BY s.currency, s.cause, s.seen_at, s.is_unexplained
LIMIT 100
