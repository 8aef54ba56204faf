-- The newest seal.
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
ORDER BY number DESC
LIMIT 1
