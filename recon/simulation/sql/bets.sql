-- Every bet with what is held for it, in the order in which they were wished for.
SELECT
    b.user_id,
    b.bet_id,
    b.caller_key,
    b.state,
    b.reason,
    b.amount,
    b.hold_key,
    b.ticket_id,
    b.payout,
    b.payout_transaction_id,
    b.settled_at
FROM bets AS b
ORDER BY b.bet_id
