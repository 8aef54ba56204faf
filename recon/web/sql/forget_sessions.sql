-- $1 a time. Sessions that had ended by then, or in which nobody had done anything since, and links
-- that could be used no more: what was done in them, and by whom, the audit says.
WITH links AS (
    DELETE FROM sign_in_links
    WHERE expires_at < $1
)

DELETE FROM sessions
WHERE coalesce(revoked_at, last_seen_at) < $1
