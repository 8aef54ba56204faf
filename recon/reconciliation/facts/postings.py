"""Booked facts that the game may have missed, counted twice or taken for another amount; pure."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from recon.money import Money
from recon.reconciliation.candidate import Candidate
from recon.reconciliation.facts.money import WITHDRAWAL
from recon.reconciliation.model import Cause, Evidence, Finding
from recon.reconciliation.odds import Standing
from recon.reconciliation.slips import Booked

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recon.ledger import Posting
    from recon.reconciliation.facts.money import Moneys

__all__ = ["KINDS", "PSP", "booked_by_psps", "of_postings"]

PSP: Final = "psp:"
KINDS: Final = ("adjustment", "bet.payout")
"""What is looked at beside what PSPs have reported; the rest is asked of the game, bet by bet."""


def of_postings(
    postings: Sequence[Posting], moneys: Moneys, *, agreed_version: int
) -> list[Candidate]:
    """What each of the postings would make if it were wrong; bets are asked of the game instead.

    Args:
        postings: the newest of the wallet.
        moneys: what their money is called.
        agreed_version: both sides agreed at this version; what is older has less behind it.
    """
    twice_here = _booked_twice(postings)
    return [
        candidate._replace(
            doubts=int(_complete_at(posting, postings) <= agreed_version),
            money=_name(posting, moneys) if posting.source.startswith(PSP) else "",
        )
        for posting in postings
        for candidate in _of_posting(posting, postings, twice_here)
    ]


def booked_by_psps(
    postings: Sequence[Posting], moneys: Moneys, *, agreed_version: int
) -> list[Booked]:
    """What PSPs have reported since both sides agreed, and the game may have other amounts for."""
    return [
        Booked(_fact(posting, 0, Cause.AMOUNT_MISMATCH, ""), change, posting.currency, name, agreed)
        for posting in postings
        if posting.source.startswith(PSP) and posting.version > agreed_version
        for change in [_change_there(posting)]
        for name in [_name(posting, moneys)]
        for agreed in [agreed_version > 0]
        if change
    ]


def _of_posting(
    posting: Posting, postings: Sequence[Posting], twice_here: set[int]
) -> Iterator[Candidate]:
    change = _change_there(posting)
    if posting.kind == "bet.payout":
        meaning = "the game's balance has not got it"
        yield _candidate(posting, -change, Cause.MISSED_PAYOUT, meaning)
    elif posting.kind == "adjustment" and change:
        # What it stood for may have come in by itself afterwards, and counts twice then.
        twice = _came_after(posting, postings)
        meaning = "the game has none like it"
        if twice:
            by_psp = any(later.source.startswith(PSP) for later in twice)
            who = "a PSP has reported" if by_psp else "a bet has paid"
            meaning = f"{who} as much since"
        standing = Standing.LIKELY if twice else Standing.SUGGESTED
        yield _candidate(posting, -change, Cause.DUPLICATE, meaning, standing, Finding.ADJUSTED)
    elif posting.source.startswith(PSP) and change:
        if posting.version in twice_here:
            meaning = "another endpoint has reported the same payment, and it is booked here twice"
            here = Finding.TWICE_HERE
            yield _candidate(posting, -change, Cause.DUPLICATE, meaning, Standing.LIKELY, here)
        lost, twice_there = "it never reached the game", "the game counted it twice"
        yield _candidate(posting, -change, Cause.MISSING_GAME_UPDATE, lost)
        yield _candidate(posting, change, Cause.DUPLICATE, twice_there, finding=Finding.TWICE_THERE)


def _came_after(adjustment: Posting, postings: Sequence[Posting]) -> list[Posting]:
    """What a PSP has reported, or a bet has paid, of the same amount since it was adjusted."""
    return [
        later
        for later in postings
        if (later.source.startswith(PSP) or later.kind == "bet.payout")
        and later.version > adjustment.version
        and _change_there(later) == adjustment.available_change
    ]


def _complete_at(posting: Posting, postings: Sequence[Posting]) -> int:
    """The wallet's version from which on both sides would differ if the posting were wrong.

    That they agreed over an adjustment says nothing against what came in only then of a payment
    from before it: that is when the money stood twice. A payment from after it is another one.
    """
    if posting.kind != "adjustment":
        return posting.version
    late = [
        later.version
        for later in _came_after(posting, postings)
        if later.event_at <= posting.recorded_at
    ]
    return max([posting.version, *late])


def _booked_twice(postings: Sequence[Posting]) -> set[int]:
    """Versions of what a PSP's account has booked that another account had booked before.

    A PSP's ids are unique, so the same money under two endpoints was delivered to both of them.
    """
    seen: defaultdict[tuple[str, int], list[Posting]] = defaultdict(list)
    for posting in postings:
        if posting.source.startswith(PSP):
            seen[posting.key, posting.available_change].append(posting)
    return {
        max(same, key=lambda posting: posting.version).version
        for same in seen.values()
        if len({posting.source for posting in same}) > 1
    }


def _change_there(posting: Posting) -> int:
    """What it should have changed at the game."""
    if posting.kind == "withdrawal.paid":
        # The reservation left `available` earlier; the game is told when it is paid.
        return -posting.amount
    return posting.available_change


def _candidate(
    posting: Posting,
    amount: int,
    cause: Cause,
    meaning: str,
    standing: Standing = Standing.SUGGESTED,
    finding: Finding | None = None,
) -> Candidate:
    fact = _fact(posting, amount, cause, meaning)
    return Candidate(replace(fact, finding=finding), standing)


def _name(posting: Posting, moneys: Moneys) -> str:
    """As whoever else speaks of it calls its money; its key is ``<object>:<effect>``."""
    endpoint = posting.source.removeprefix(PSP)
    object_id, _, effect = posting.key.removesuffix(":released").rpartition(":")
    if posting.kind == "withdrawal.paid":
        effect = WITHDRAWAL
    return moneys.name(endpoint, effect, payment_id=object_id)


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
        root=posting.source.removeprefix(PSP),
    )
