-- $1 now, $2 tickets, $3 rounds that have ended, $4 rounds that pay out, $5 whether all.
-- In the order of the key, as whoever else takes several. Bets that rest, and those whose claim is
-- of one who does nothing but ask; the fence rises, because what they were answered may be older
-- than what is told now, and must not be what the bet is left with.
WITH told AS (
    SELECT
        user_id,
        bet_id
    FROM bets
    WHERE
        due_at > $1
        AND (
            resting
            OR state = 'placed'
            OR (state = 'cashing_out' AND payout_transaction_id IS NOT NULL)
        )
        AND (
            $5
            OR ticket_id = ANY($2::text[])
            OR (state IN ('placing', 'placed') AND round_id = ANY($3::text[]))
            OR round_id = ANY($4::text[])
        )
    ORDER BY user_id COLLATE "C", bet_id
    FOR UPDATE
)

UPDATE bets AS b
SET due_at = $1, fence = b.fence + 1, looks = 0
FROM told
WHERE b.user_id = told.user_id AND b.bet_id = told.bet_id
RETURNING b.bet_id
