-- Links that are not those of a seal, as its leaves tell: $1 its first link, $2 the leaves. Without
-- a kind the link is gone.
SELECT
    n.seq,
    l.kind,
    l.row_key
FROM generate_series($1::bigint, $1 + length($2::bytea) / 8 - 1) AS n (seq)
LEFT JOIN (
    SELECT
        seq,
        kind,
        row_key,
        substr(sha256(record_send(row(seq, kind, row_key, at, row_hash))), 1, 8) AS leaf
    FROM public.seal_links
    WHERE seq BETWEEN $1 AND $1 + length($2) / 8 - 1
) AS l ON n.seq = l.seq
WHERE l.leaf IS DISTINCT FROM substr($2, (n.seq - $1)::integer * 8 + 1, 8)
ORDER BY n.seq
LIMIT 100
