-- Every seal in order, beside what its links come to now; as in root.sql.
SELECT
    s.number,
    s.first_seq,
    s.last_seq,
    s.root,
    s.leaves,
    s.previous,
    s.sealed_at,
    s.covers_until,
    s.settled_before,
    s.certain_before,
    s.xid_ceiling,
    s.hash,
    s.key_id,
    s.signature,
    n.links AS found_links,
    n.root AS found_root
FROM public.seals AS s
CROSS JOIN
    LATERAL (
        SELECT
            count(*) AS links,
            sha256(
                coalesce(
                    string_agg(
                        record_send(row(l.seq, l.kind, l.row_key, l.at, l.row_hash)),
                        ''::bytea ORDER BY l.seq
                    ),
                    ''::bytea
                )
            ) AS root
        FROM public.seal_links AS l
        WHERE l.seq BETWEEN s.first_seq AND s.last_seq
    ) AS n
ORDER BY s.number
