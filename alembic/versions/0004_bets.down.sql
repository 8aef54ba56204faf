DROP TABLE bet_attempts, bets;
