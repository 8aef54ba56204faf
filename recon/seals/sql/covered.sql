-- $1 the instant up to which a pass that has ended well looked at everything.
INSERT INTO public.sealing (covers_until)
VALUES ($1)
ON CONFLICT (is_all) DO UPDATE SET covers_until = excluded.covers_until
