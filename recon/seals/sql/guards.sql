-- What stands between the sealed tables and their owner, and does not: $1 the tables.
SELECT
    t.name AS table_name,
    CASE
        WHEN c.relkind NOT IN ('r', 'p') THEN 'is no table any more'
        WHEN c.relrowsecurity THEN 'hides rows by a policy'
        WHEN c.relhasrules THEN 'has a rule'
        ELSE 'may be changed: its append-only trigger is off'
    END AS fault
FROM unnest($1::text[]) AS t (name)
INNER JOIN pg_class AS c ON c.oid = to_regclass('public.' || t.name)
LEFT JOIN pg_trigger AS g ON c.oid = g.tgrelid AND g.tgname = t.name || '_append_only'
WHERE
    c.relkind NOT IN ('r', 'p')
    OR c.relrowsecurity
    OR c.relhasrules
    OR coalesce(g.tgenabled NOT IN ('O', 'A'), t.name NOT IN ('deliveries', 'adjustments'))
ORDER BY t.name
