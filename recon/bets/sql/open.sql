-- $1 a bet_intent each and $2 the ledger_entry of its hold, in the order of users and callers'
-- names; $3 the api_claim of its request (null: there is none), $4 after how long an unanswered
-- attempt counts as dead. What became of each; see bets_open in 0004_bets.up.sql.
SELECT bets_open($1, $2, requests_begin($3, $4))
