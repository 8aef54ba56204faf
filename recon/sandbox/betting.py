"""Placing a bet: a hold, then its confirmation or release; and finding either again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recon.clock import new_id
from recon.sandbox.slips import Bet, Hold
from recon.sandbox.wire import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.sandbox.accounts import GameBackend
    from recon.sandbox.engine import CrashEngine, Round
    from recon.sandbox.options import SandboxOptions
    from recon.sandbox.slips import Payout
    from recon.sandbox.timeline import Timeline

__all__ = ["Book", "RoundBook", "Stake", "confirm", "place_hold", "release"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stake:
    """What a hold is asked for.

    Attributes:
        round_id: the round.
        user_id: the player.
        amount_minor: above zero.
        currency: of the stake.
        auto_cashout: the target in hundredths, or None.
        idempotency_key: of the call, by which the hold can be asked for.
    """

    round_id: str
    user_id: str
    amount_minor: int
    currency: str
    auto_cashout: int | None
    idempotency_key: str


@dataclass(slots=True)
class RoundBook:
    """What hangs on one round: its open holds and its bets."""

    holds: dict[str, Hold] = field(default_factory=dict)
    bets: list[Bet] = field(default_factory=list)


@dataclass(slots=True)
class Book:
    """Every hold, bet and payout of the sandbox, with what they act upon.

    Attributes:
        options: the time a hold has.
        timeline: where expiries are set.
        engine: the rounds.
        backend: the balances.
        changed: hears of each bet and payout at each change.
    """

    options: SandboxOptions
    timeline: Timeline
    engine: CrashEngine
    backend: GameBackend
    changed: Callable[[Bet | Payout], None] = lambda _: None
    holds: dict[str, Hold] = field(default_factory=dict)
    by_key: dict[tuple[str, str], Hold] = field(default_factory=dict)
    bets: dict[str, Bet] = field(default_factory=dict)
    payouts: dict[str, Payout] = field(default_factory=dict)
    rounds: dict[str, RoundBook] = field(default_factory=dict)

    def of_round(self, round_: Round) -> RoundBook:
        """What hangs on a round that has not paid out yet."""
        return self.rounds.setdefault(round_.round_id, RoundBook())

    def hold_of(self, hold_id: str, user_id: str) -> Hold:
        """A player's hold.

        Raises:
            Refused: ``not_found``, for another player's too.
        """
        hold = self.holds.get(hold_id)
        if hold is None or hold.user_id != user_id:
            raise Refused("not_found", "the player has no such hold")
        return hold

    def bet_of(self, ticket_id: str, user_id: str) -> Bet:
        """A player's bet.

        Raises:
            Refused: ``not_found``, for another player's too.
        """
        bet = self.bets.get(ticket_id)
        if bet is None or bet.hold.user_id != user_id:
            raise Refused("not_found", "the player has no such bet")
        return bet

    def payout_of(self, transaction_id: str, user_id: str) -> Payout:
        """A player's payout.

        Raises:
            Refused: ``not_found``, for another player's too.
        """
        payout = self.payouts.get(transaction_id)
        if payout is None or payout.bet.hold.user_id != user_id:
            raise Refused("not_found", "the player has no such payout")
        return payout


def place_hold(book: Book, stake: Stake, reached: float) -> Hold:
    """Take a stake from ``available`` into ``held``, until it is confirmed or expires.

    Raises:
        Refused: ``not_found`` (the round), ``round_closed``, ``currency_mismatch``,
            ``insufficient_balance``.
    """
    round_ = book.engine.rounds.get(stake.round_id)
    if round_ is None:
        raise Refused("not_found", "there is no such round")
    if round_.status != "betting":
        raise Refused("round_closed", f"the round takes no bets: it is {round_.status}")
    hold_id = f"h_{new_id().hex}"
    book.backend.hold(stake.user_id, stake.currency, stake.amount_minor, ref=hold_id)
    due = reached + book.options.hold_ttl_s
    hold = Hold(
        hold_id=hold_id,
        round=round_,
        user_id=stake.user_id,
        amount_minor=stake.amount_minor,
        currency=stake.currency,
        auto_cashout=stake.auto_cashout,
        expires_at=book.timeline.instant(due),
    )
    book.holds[hold_id] = hold
    book.by_key[stake.user_id, stake.idempotency_key] = hold
    book.of_round(round_).holds[hold_id] = hold
    book.timeline.at(due, lambda _: _expire(book, hold))
    return hold


def confirm(book: Book, hold: Hold, reached: float) -> Bet:
    """Turn a hold into a bet; a hold that is one already gives the same bet again.

    Raises:
        Refused: ``hold_expired`` when the stake went back; ``round_closed``.
    """
    if hold.bet is not None:
        return hold.bet
    if hold.status != "held":
        raise Refused("hold_expired", f"the stake is no longer held: the hold is {hold.status}")
    if hold.round.status != "betting":
        raise Refused("round_closed", f"the round takes no bets: it is {hold.round.status}")
    bet = Bet(f"t_{new_id().hex}", hold, book.timeline.instant(reached))
    book.backend.stake(hold.user_id, hold.currency, hold.amount_minor, ref=bet.ticket_id)
    hold.status = "confirmed"
    hold.bet = bet
    hold.round.participants.add(hold.user_id)
    of_round = book.of_round(hold.round)
    of_round.holds.pop(hold.hold_id, None)
    of_round.bets.append(bet)
    book.bets[bet.ticket_id] = bet
    book.changed(bet)
    return bet


def release(book: Book, hold: Hold) -> Hold:
    """Give a held stake back; a hold that was released already stays so.

    Raises:
        Refused: ``hold_expired`` when the server was first; ``round_closed`` when the hold has
            become a bet.
    """
    if hold.status == "expired":
        raise Refused("hold_expired", "the server has given the stake back already")
    if hold.status == "confirmed":
        raise Refused("round_closed", "the hold was confirmed: its stake is in play")
    if hold.status == "held":
        hold.status = "released"
        book.of_round(hold.round).holds.pop(hold.hold_id, None)
        book.backend.release(hold.user_id, hold.currency, hold.amount_minor, ref=hold.hold_id)
    return hold


def _expire(book: Book, hold: Hold) -> None:
    if hold.status != "held":
        return
    hold.status = "expired"
    book.of_round(hold.round).holds.pop(hold.hold_id, None)
    book.backend.expire(hold.user_id, hold.currency, hold.amount_minor, ref=hold.hold_id)
