-- $1 user. The currencies of the wallets that a posting has opened.
SELECT currency
FROM wallets
WHERE user_id = $1 AND version > 0
ORDER BY currency
