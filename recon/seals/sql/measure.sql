-- For how long there may have been rows that no seal covers; no row: no pass has ever ended well.
SELECT extract(EPOCH FROM clock_timestamp() - s.covers_until)::float8 AS unsealed_s
FROM public.sealing AS s
