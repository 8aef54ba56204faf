-- $1 made by then. Bets without an outcome: how many in each state, how many of them are for people
-- (they rest, or are that old), and when the oldest was made.
SELECT
    state,
    count(*) AS bets,
    count(*) FILTER (WHERE due_at IS NULL OR created_at <= $1) AS waiting,
    min(created_at) AS oldest
FROM bets
WHERE state IN ('placing', 'placed', 'cashing_out')
GROUP BY state
