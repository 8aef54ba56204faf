-- What the links from $1 to $2 come to: the hash of all of them in their order, and eight bytes of
-- the hash of each.
SELECT
    sha256(coalesce(string_agg(l.leaf, ''::bytea ORDER BY l.seq), ''::bytea)) AS root,
    coalesce(string_agg(substr(sha256(l.leaf), 1, 8), ''::bytea ORDER BY l.seq), ''::bytea)
        AS leaves
FROM (
    SELECT
        seq,
        record_send(row(seq, kind, row_key, at, row_hash)) AS leaf
    FROM public.seal_links
    WHERE seq BETWEEN $1 AND $2
) AS l
