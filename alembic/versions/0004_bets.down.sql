DROP TABLE stream_holders, bet_attempts, bets;
