-- Every state that a bet was ever in, as it was committed: what is put right later was wrong all
-- the same. It is run by the owner, where `virtual_time.sql` is.
CREATE TABLE simulation.bet_history (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    bet_id uuid NOT NULL,
    -- Null: the bet is new.
    before text,
    after text NOT NULL,
    -- What is fixed with the intent has changed, or what the game gave it was taken from it.
    forgot boolean NOT NULL,
    fence_fell boolean NOT NULL
);

CREATE FUNCTION simulation.note_bet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    INSERT INTO simulation.bet_history (at, bet_id, before, after, forgot, fence_fell)
    VALUES (
        simulation.clock_timestamp(),
        new.bet_id,
        old.state,
        new.state,
        old.bet_id IS NOT NULL AND (
            (old.user_id, old.caller_key, old.round_id, old.amount, old.hold_body)
            <> (new.user_id, new.caller_key, new.round_id, new.amount, new.hold_body)
            OR (old.hold_key, old.confirm_key, old.release_key)
            <> (new.hold_key, new.confirm_key, new.release_key)
            OR (old.ticket_id IS NOT NULL AND old.ticket_id IS DISTINCT FROM new.ticket_id)
            OR (
                old.payout_transaction_id IS NOT NULL
                AND old.payout_transaction_id IS DISTINCT FROM new.payout_transaction_id
            )
        ),
        coalesce(new.fence < old.fence, false)
    );
    RETURN NULL;
END
$$;

CREATE TRIGGER simulation_note AFTER INSERT OR UPDATE ON bets
FOR EACH ROW EXECUTE FUNCTION simulation.note_bet();
