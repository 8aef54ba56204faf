-- Whether the books hold anything that is older than a day.
SELECT EXISTS (
    SELECT FROM public.postings
    WHERE recorded_at < now() - interval '1 day'
) AS is_there
