-- $1 hash of what a browser keeps, $2 name. Whether somebody has signed in by this name in it.
SELECT EXISTS(SELECT FROM sessions WHERE browser_hash = $1 AND name = $2)
