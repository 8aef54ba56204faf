-- $1 number, $2 first and $3 last of its links, $4 root, $5 leaves, $6 the hash of the seal before,
-- $7 when, $8 covers until, $9 settled before, $10 certain before, $11 xid ceiling, $12 hash,
-- $13 key, $14 signature. A number that is taken is refused by its key: another sealer was there.
INSERT INTO public.seals (
    number, first_seq, last_seq, root, leaves, previous, sealed_at, covers_until, settled_before,
    certain_before, xid_ceiling, hash, key_id, signature
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
