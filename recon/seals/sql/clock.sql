-- What time it is for the database.
SELECT clock_timestamp()
