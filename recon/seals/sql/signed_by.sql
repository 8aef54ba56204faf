-- The newest seal that one of the keys $1 has signed.
SELECT
    number,
    key_id
FROM public.seals
WHERE key_id = any($1::text[])
ORDER BY number DESC
LIMIT 1
