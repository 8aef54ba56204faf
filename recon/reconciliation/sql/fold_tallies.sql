-- What has gathered of one currency, cause and minute, explained or not, becomes one row, and none
-- where it comes to nothing; what was first seen over eight days ago is of an age that nobody tells
-- apart. Two at once are as good as one: each adds up what it was itself that took away.
WITH tallies AS (
    SELECT
        t.tally_id,
        t.currency,
        t.cause,
        t.is_unexplained,
        t.seen_at,
        CASE
            WHEN t.seen_at < clock_timestamp() - interval '8 days' THEN '-infinity'::timestamptz
            ELSE t.seen_at
        END AS folded_at
    FROM discrepancy_tallies AS t
),

crowded AS (
    SELECT
        currency,
        cause,
        is_unexplained,
        folded_at
    FROM tallies
    GROUP BY 1, 2, 3, 4
    HAVING count(*) > 1 OR min(seen_at) <> folded_at
),

taken AS (
    DELETE FROM discrepancy_tallies AS t
    USING tallies AS f, crowded AS c
    WHERE
        t.tally_id = f.tally_id
        AND f.currency = c.currency
        AND f.cause = c.cause
        AND f.is_unexplained = c.is_unexplained
        AND f.folded_at = c.folded_at
    RETURNING
        t.currency,
        t.cause,
        f.folded_at,
        t.is_unexplained,
        t.discrepancies,
        t.net,
        t.gross,
        t.unexplained
)

INSERT INTO discrepancy_tallies (
    currency, cause, seen_at, is_unexplained, discrepancies, net, gross, unexplained
)
SELECT
    currency,
    cause,
    folded_at,
    is_unexplained,
    sum(discrepancies),
    sum(net),
    sum(gross),
    sum(unexplained)
FROM taken
GROUP BY 1, 2, 3, 4
HAVING
    sum(discrepancies) <> 0
    OR sum(net) <> 0
    OR sum(gross) <> 0
    OR sum(unexplained) <> 0
