DROP TRIGGER cases_ask_about_bet_again ON cases;
DROP FUNCTION ask_about_bet_again;
DROP TABLE bet_rulings;
DROP TRIGGER bets_outdate_rulings ON bets;
DROP FUNCTION outdate_bet_rulings, bet_standing, decide_once, is_same_person;
DROP FUNCTION bets_open, bets_conclude, bets_begin;
DROP TYPE bet_intent, bet_conclusion, bet_attempt;
DROP TABLE game_notices, game_outages, stream_holders, bet_attempts, bets;
