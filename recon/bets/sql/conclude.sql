-- $1 a bet_conclusion each and $2 the ledger_entry that goes with it (null: none), in the order of
-- users and bets; $3 a bet_attempt each; $4 the api_answer that each leads to (null: none). Whether
-- the claim on each stood; see bets_conclude in 0004_bets.up.sql.
SELECT c.stood
FROM bets_conclude($1, $2, $3) AS c (stood), requests_finish($4, c.stood) -- noqa: AL05
