-- $1 user, $2 currency. No row: no posting has opened the wallet.
SELECT
    available,
    held,
    reserved,
    version,
    clock_timestamp() AS as_of
FROM wallets
WHERE user_id = $1 AND currency = $2 AND version > 0
