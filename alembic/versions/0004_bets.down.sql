DROP TRIGGER cases_ask_about_bet_again ON cases;
DROP FUNCTION ask_about_bet_again;
DROP FUNCTION bets_open, bets_conclude, bets_begin;
DROP TYPE bet_intent, bet_conclusion, bet_attempt;
DROP TABLE game_notices, game_outages, stream_holders, bet_attempts, bets;
