DROP FUNCTION bets_open, bets_conclude, bets_begin;
DROP TYPE bet_intent, bet_conclusion, bet_attempt;
DROP TABLE game_notices, game_outages, stream_holders, bet_attempts, bets;
