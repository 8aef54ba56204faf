-- Every wallet as the ledger has it.
SELECT
    user_id,
    currency,
    available,
    held,
    reserved
FROM wallets
ORDER BY user_id, currency
