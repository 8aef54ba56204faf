-- $1 player. When the newest record of each kind about the player was written down; null: there is
-- none. A delivery counts where it was not booked: what is booked has its posting.
SELECT
    (SELECT max(w.posted_at) FROM wallets AS w WHERE w.user_id = $1) AS posting,
    (SELECT max(p.updated_at) FROM payments AS p WHERE p.user_id = $1) AS payment,
    (SELECT max(b.updated_at) FROM bets AS b WHERE b.user_id = $1) AS bet,
    greatest(
        (
            SELECT max(d.received_at)
            FROM deliveries AS d
            WHERE d.user_id = $1 AND d.state IN ('waiting', 'suspended', 'quarantined')
        ),
        (
            SELECT max(d.received_at)
            FROM deliveries AS d
            WHERE d.user_id = $1 AND d.state IN ('ignored', 'repeated')
        )
    ) AS delivery
