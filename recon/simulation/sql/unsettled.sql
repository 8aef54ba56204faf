-- How many bets have not come to their end.
SELECT count(*) AS unsettled
FROM bets
WHERE state IN ('placing', 'placed', 'cashing_out')
