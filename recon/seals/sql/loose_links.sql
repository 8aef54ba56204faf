-- Links that come after the newest seal's last one, $1.
SELECT count(*) FROM public.seal_links WHERE seq > $1 OR seq < 1
