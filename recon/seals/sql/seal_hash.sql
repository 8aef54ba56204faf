-- The hash of the seal with number $1.
SELECT hash FROM public.seals WHERE number = $1
