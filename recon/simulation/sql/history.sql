-- Every change of a bet as it was committed, in order; see history.sql of the room.
SELECT
    h.at,
    h.bet_id,
    h.before,
    h.after,
    h.forgot,
    h.fence_fell
FROM simulation.bet_history AS h
ORDER BY h.number
