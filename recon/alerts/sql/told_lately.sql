-- $1 type, $2 how long. How many messages of that type there were in the time before now; one of a
-- clock that was ahead then keeps none waiting.
SELECT count(*)
FROM alerts
WHERE type = $1 AND created_at BETWEEN clock_timestamp() - $2::interval AND clock_timestamp()
