-- The newest seal that covers no more than was committed before $1.
SELECT
    number,
    first_seq,
    last_seq,
    root,
    leaves,
    previous,
    sealed_at,
    covers_until,
    settled_before,
    certain_before,
    xid_ceiling,
    hash,
    key_id,
    signature
FROM public.seals
WHERE covers_until <= $1
ORDER BY number DESC
LIMIT 1
