-- $1 run, $2 first users of ranges: what they found is no single fault, and they count anew. The
-- run goes on, unless others have come to be suspected meanwhile: then it waits because of those.
WITH excused AS (
    UPDATE run_ranges
    SET
        suspected = false,
        excused = excused + differed,
        excused_at = clock_timestamp(),
        looked = 0,
        differed = 0
    WHERE run_id = $1 AND first_user = any($2::text[])
)

UPDATE runs AS r
SET
    examined_at = null,
    paused_at = CASE
        WHEN EXISTS (
            SELECT
            FROM run_ranges AS g
            WHERE g.run_id = $1 AND g.suspected AND g.first_user <> all($2::text[])
        ) THEN clock_timestamp()
    END
WHERE r.run_id = $1
