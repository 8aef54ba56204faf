-- $1 stream, $2 who. The next one need not wait for the lease to end.
UPDATE stream_holders
SET held_by = NULL, held_until = '-infinity', connected_at = NULL
WHERE stream = $1 AND held_by = $2
