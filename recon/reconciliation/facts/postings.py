"""Booked facts that the game may have missed, or counted twice; pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from recon.money import Money
from recon.reconciliation.explain import Candidate
from recon.reconciliation.model import Cause, Evidence
from recon.reconciliation.odds import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recon.ledger import Posting

__all__ = ["of_postings"]

_PSP: Final = "psp:"


def of_postings(postings: Sequence[Posting]) -> list[Candidate]:
    """What each of the postings would make if it were wrong; bets are asked of the game instead."""
    # What an adjustment stood for may have come in by itself afterwards, and counts twice then.
    reported = Counter(
        (posting.available_change, posting.currency)
        for posting in postings
        if posting.source.startswith(_PSP)
    )
    return [one for posting in postings for one in _of_posting(posting, reported)]


def _of_posting(posting: Posting, reported: Counter[tuple[int, str]]) -> Iterator[Candidate]:
    change = posting.available_change
    if posting.kind == "bet.payout":
        yield _suggested(posting, -change, Cause.MISSED_PAYOUT, "the game's balance has not got it")
    elif posting.kind == "adjustment" and change:
        twice = reported[change, posting.currency] > 0
        meaning = "a PSP has reported as much besides" if twice else "the game has none like it"
        fact = _fact(posting, -change, Cause.DUPLICATE, meaning)
        yield Candidate(fact, Standing.LIKELY if twice else Standing.SUGGESTED)
    elif posting.source.startswith(_PSP):
        if posting.kind == "withdrawal.paid":
            # The reservation left `available` earlier; the game is told when it is paid.
            change = -posting.amount
        if change:
            lost, twice_there = "it never reached the game", "the game counted it twice"
            yield _suggested(posting, -change, Cause.MISSING_GAME_UPDATE, lost)
            yield _suggested(posting, change, Cause.DUPLICATE, twice_there)


def _suggested(posting: Posting, amount: int, cause: Cause, meaning: str) -> Candidate:
    return Candidate(_fact(posting, amount, cause, meaning), Standing.SUGGESTED)


def _fact(posting: Posting, amount: int, cause: Cause, meaning: str) -> Evidence:
    booked = Money(posting.amount, posting.currency)
    return Evidence(
        kind="posting",
        id=f"{posting.user_id}:{posting.currency}:{posting.version}",
        amount=amount,
        at=posting.recorded_at,
        summary=(
            f"{posting.kind} of {booked} {booked.currency} ({posting.source} {posting.key}) "
            f"is booked here; {meaning}"
        ),
        cause=cause,
        root=posting.source.removeprefix(_PSP),
    )
