-- $1 stream, $2 who, $3 for how long more, $4 since when it listens, $5 when it was last told
-- anything, $6 why it does not listen. No row back: the lease has ended, whoever has it now.
UPDATE stream_holders
SET
    held_until = clock_timestamp() + $3::interval,
    connected_at = $4,
    heard_at = coalesce($5, heard_at),
    failure = $6
WHERE stream = $1 AND held_by = $2 AND held_until >= clock_timestamp()
RETURNING stream
