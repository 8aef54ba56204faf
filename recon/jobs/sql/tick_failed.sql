-- $1 tick. It failed at one more try; the first that is not forgiven yet says since when.
INSERT INTO tick_failures AS f (tick)
VALUES ($1)
ON CONFLICT (tick) DO UPDATE
    SET failures = f.failures + 1, successes = 0, failed_at = clock_timestamp()
