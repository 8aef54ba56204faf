-- Wallets that differed, or could not be compared, and are being looked at again: how many, and how
-- long ago the first of them was first seen so.
SELECT
    count(*) AS suspects,
    coalesce(extract(EPOCH FROM clock_timestamp() - min(first_seen_at)), 0)::float8 AS oldest_s
FROM suspects
