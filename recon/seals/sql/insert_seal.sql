-- $1 number, $2 first and $3 last of its links, $4 root, $5 the hash of the seal before, $6 when,
-- $7 covers until, $8 settled before, $9 certain before, $10 xid ceiling, $11 hash, $12 key,
-- $13 signature. A number or a link that is taken is refused by its key: another sealer was there.
INSERT INTO seals (
    number, first_seq, last_seq, root, previous, sealed_at, covers_until, settled_before,
    certain_before, xid_ceiling, hash, key_id, signature
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
