-- $1 hash of the token. Used up by the first who comes in time; no row for all others.
UPDATE sign_in_links
SET used_at = clock_timestamp()
WHERE link_hash = $1 AND used_at IS NULL AND expires_at > clock_timestamp()
RETURNING name
