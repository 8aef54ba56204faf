-- $1 the lane's period, $2 its scope. Whether its scheduled run is due: none is running, and the
-- last one started at least that long ago. The lane of all wallets has its first one a period after
-- the first run of any kind, which looked at everything. What a clock that was ahead for a while
-- has begun keeps none waiting.
SELECT
    NOT EXISTS (
        SELECT
        FROM runs
        WHERE
            trigger = 'schedule'
            AND scope = $2
            AND (
                state = 'running'
                OR started_at BETWEEN clock_timestamp() - $1::interval AND clock_timestamp()
            )
    )
    AND (
        $2 <> 'all'
        OR (SELECT min(started_at) FROM runs) <= clock_timestamp() - $1::interval
    )
