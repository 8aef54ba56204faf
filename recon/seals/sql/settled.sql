-- $1 the oldest transaction that may still commit, $2 the instant of this pass: the newest instant
-- at which none from there on had begun.
SELECT covers_until
FROM public.seals
WHERE xid_ceiling <= $1 AND covers_until <= $2
ORDER BY number DESC
LIMIT 1
