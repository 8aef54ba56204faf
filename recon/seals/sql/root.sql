-- What the links from $1 to $2 come to: the hash of all of them, in their order.
SELECT
    sha256(
        coalesce(
            string_agg(record_send(row(seq, kind, row_key, at, row_hash)), ''::bytea ORDER BY seq),
            ''::bytea
        )
    ) AS root
FROM seal_links
WHERE seq BETWEEN $1 AND $2
