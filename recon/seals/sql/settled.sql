-- $1 the oldest transaction that may still commit: the newest instant at which none from there on
-- had begun.
SELECT covers_until
FROM public.seals
WHERE xid_ceiling <= $1
ORDER BY number DESC
LIMIT 1
