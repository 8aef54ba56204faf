-- $1 now, $2 nothing that rests is put off further than this: whatever is, a clock that was ahead
-- has done. Whether any bet is due.
SELECT exists(SELECT FROM bets WHERE due_at <= $1 OR (due_at > $2 AND resting)) AS due
