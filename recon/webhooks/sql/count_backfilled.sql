-- $1 endpoint, $2 how many events more were taken in.
UPDATE backfills
SET events = events + $2
WHERE endpoint = $1
