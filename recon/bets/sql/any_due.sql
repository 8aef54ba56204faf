-- $1 now.
SELECT exists(SELECT FROM bets WHERE due_at <= $1) AS due
