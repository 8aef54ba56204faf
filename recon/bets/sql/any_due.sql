-- $1 now.
SELECT EXISTS (SELECT FROM bets WHERE due_at <= $1) AS due
