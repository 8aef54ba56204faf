-- True where the books hold anything that is older than a day; no row where they do not.
SELECT true AS is_there
WHERE EXISTS (
    SELECT
    FROM public.postings
    WHERE recorded_at < now() - interval '1 day'
)
