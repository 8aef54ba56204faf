-- What time it is for the database, to compare ours with.
SELECT clock_timestamp()
