"""What becomes of bets: cashed out by a call or by their target, lost, void; and the payouts."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

from recon.clock import new_id
from recon.sandbox.curve import ONE
from recon.sandbox.slips import Payout
from recon.sandbox.wire import Refused

if TYPE_CHECKING:
    from recon.sandbox.betting import Book
    from recon.sandbox.engine import Round
    from recon.sandbox.faults import Faults
    from recon.sandbox.slips import Bet

__all__ = ["Settlement"]


class Settlement:
    """Settles bets as their rounds go on; hears the engine.

    Args:
        book: the bets.
        faults: may lose a payout between its status and its balance.
    """

    def __init__(self, book: Book, faults: Faults) -> None:
        self._book = book
        self._faults = faults
        self._paid: Counter[str] = Counter()
        book.engine.listen(self._on_round)

    def cash_out(self, bet: Bet, reached: float) -> Payout:
        """Cash a bet out at the multiplier of this instant.

        Raises:
            Refused: ``bet_not_active`` when the round does not fly or the bet is settled;
                ``below_auto_cashout`` while the multiplier is below the bet's own target.
        """
        round_ = bet.hold.round
        if bet.status != "active" or round_.status != "active":
            raise Refused(
                "bet_not_active", f"the bet is {bet.status}, its round is {round_.status}"
            )
        multiplier = self._book.engine.multiplier(round_, reached)
        target = bet.hold.auto_cashout
        if target is not None and multiplier < target:
            raise Refused("below_auto_cashout", "the bet cashes out by itself at its target")
        return self._cash_out(bet, multiplier)

    def _cash_out(self, bet: Bet, multiplier: int) -> Payout:
        amount_minor = bet.hold.amount_minor * multiplier // ONE
        payout = Payout(f"tx_{new_id().hex}", bet, amount_minor)
        bet.status = "cashed_out"
        bet.cashed_at = multiplier
        bet.payout = payout
        self._book.payouts[payout.transaction_id] = payout
        self._book.changed(bet)
        self._book.changed(payout)
        return payout

    def _on_round(self, round_: Round, due: float) -> None:
        if round_.cancelled:
            self._void(round_)
        elif round_.status == "active":
            self._set_targets(round_, due)
        elif round_.status == "crashed":
            self._lose(round_)
        elif round_.status == "payout":
            self._set_payouts(round_, due)

    def _set_targets(self, round_: Round, due: float) -> None:
        by_target: dict[int, list[Bet]] = {}
        for bet in self._book.of_round(round_).bets:
            target = bet.hold.auto_cashout
            if target is not None and target <= round_.crash_at:
                by_target.setdefault(target, []).append(bet)
        for target, bets in by_target.items():
            flight_s = self._book.engine.curve.reached_ms(target) / 1000
            self._book.timeline.at(due + flight_s, partial(self._on_target, bets, target))

    def _on_target(self, bets: list[Bet], target: int, _: float) -> None:
        for bet in bets:
            if bet.status == "active":
                self._cash_out(bet, target)

    def _lose(self, round_: Round) -> None:
        for bet in self._book.of_round(round_).bets:
            if bet.status == "active":
                bet.status = "lost"
                self._book.changed(bet)

    def _set_payouts(self, round_: Round, due: float) -> None:
        paying = [bet for bet in self._book.of_round(round_).bets if bet.payout]
        # From here on nothing more can hang on the round but holds, which expire by themselves.
        self._book.rounds.pop(round_.round_id, None)
        self._book.timeline.at(
            due + self._book.options.payout_delay_s, lambda at: self._complete(paying, at)
        )

    def _complete(self, bets: list[Bet], due: float) -> None:
        for bet in bets:
            payout = bet.payout
            if payout is None or payout.status != "pending":
                continue
            hold = bet.hold
            payout.status = "completed"
            payout.completed_at = self._book.timeline.instant(due)
            if self._is_lost(payout):
                continue
            self._book.backend.pay_out(
                hold.user_id, hold.currency, payout.amount_minor, ref=payout.transaction_id
            )
            self._book.changed(payout)

    def _is_lost(self, payout: Payout) -> bool:
        """Plant the fault ``payout_lost``: said to be completed, never credited."""
        hold = payout.bet.hold
        self._paid[hold.user_id] += 1
        draw = f"{hold.user_id}/{self._paid[hold.user_id]}"
        if payout.amount_minor == 0 or not self._faults.strikes(
            "payout_lost", user_id=hold.user_id, key=draw
        ):
            return False
        self._faults.plant(
            "payout_lost",
            user_id=hold.user_id,
            currency=hold.currency,
            amount_minor=-payout.amount_minor,
            must_lead_to="missed_payout",
        )
        self._book.changed(payout)
        return True

    def _void(self, round_: Round) -> None:
        of_round = self._book.rounds.pop(round_.round_id, None)
        if of_round is None:
            return
        for hold in of_round.holds.values():
            hold.status = "released"
            self._book.backend.release(
                hold.user_id, hold.currency, hold.amount_minor, ref=hold.hold_id
            )
        for bet in of_round.bets:
            hold = bet.hold
            if bet.payout is not None:
                bet.payout.status = "failed"
                self._book.changed(bet.payout)
            bet.status = "void"
            self._book.backend.give_back(
                hold.user_id, hold.currency, hold.amount_minor, ref=bet.ticket_id
            )
            self._book.changed(bet)
