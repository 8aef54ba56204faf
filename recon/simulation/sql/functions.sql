-- The names of the functions that are ours; some of them look at the clock.
SELECT array_agg(DISTINCT p.proname::text)
FROM pg_proc AS p
WHERE p.pronamespace = 'public'::regnamespace
