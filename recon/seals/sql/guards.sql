-- What should stand between the sealed tables and their owner, and does not: $1 the tables, $2 the
-- body of the function that refuses a change, $3 the SHA-256 of the one that lets what two people
-- decide be decided once.
SELECT
    c.relname AS table_name,
    f.fault
FROM pg_class AS c
CROSS JOIN
    LATERAL (
        SELECT 'is no table any more' AS fault
        WHERE c.relkind NOT IN ('r', 'p')
        UNION ALL
        SELECT 'hides rows by a policy' AS fault
        WHERE c.relrowsecurity
        UNION ALL
        SELECT 'has a rule' AS fault
        WHERE c.relhasrules AND c.relkind IN ('r', 'p')
        UNION ALL
        SELECT 'may be changed: its append-only trigger is off' AS fault
        WHERE
            c.relkind IN ('r', 'p')
            -- Of this the state may change, and what is sealed may not: that shows by its link.
            AND c.relname <> 'deliveries'
            AND NOT EXISTS (
                SELECT FROM pg_trigger AS g
                INNER JOIN pg_proc AS p ON g.tgfoid = p.oid
                WHERE
                    g.tgrelid = c.oid
                    AND g.tgname = c.relname || '_append_only'
                    AND g.tgenabled IN ('O', 'A')
                    AND g.tgqual IS NULL
                    AND p.pronamespace = 'public'::regnamespace
                    AND p.proname = 'refuse_change'
                    AND btrim(p.prosrc, E' \n') = btrim($2::text, E' \n')
            )
        UNION ALL
        SELECT 'may be decided anew: its trigger is off' AS fault
        WHERE
            c.relname IN ('adjustments', 'bet_rulings')
            AND NOT EXISTS (
                SELECT FROM pg_trigger AS g
                INNER JOIN pg_proc AS p ON g.tgfoid = p.oid
                WHERE
                    g.tgrelid = c.oid
                    AND g.tgname = c.relname || '_decided_once'
                    AND g.tgenabled IN ('O', 'A')
                    AND g.tgqual IS NULL
                    AND p.pronamespace = 'public'::regnamespace
                    AND p.proname = 'decide_once'
                    AND encode(sha256(convert_to(btrim(p.prosrc, E' \n'), 'UTF8')), 'hex') = $3
            )
        UNION ALL
        SELECT format('has a trigger that is not ours: %s', g.tgname) AS fault
        FROM pg_trigger AS g
        WHERE
            g.tgrelid = c.oid
            AND NOT g.tgisinternal
            AND g.tgname NOT IN (
                c.relname || '_append_only', c.relname || '_redaction', c.relname || '_decided_once'
            )
    ) AS f
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = any($1::text[])
ORDER BY c.relname, f.fault
