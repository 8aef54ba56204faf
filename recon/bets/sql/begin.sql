-- The limits of every transaction about bets that is more than one statement; see bets_begin in
-- 0004_bets.up.sql.
SELECT bets_begin()
