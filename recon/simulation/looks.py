"""Every discrepancy that people were shown, held against the facts.

Each says which posting it saw last here and at which instant the game spoke, so that what it claims
can be looked up in both books: the figures, and whether each bet or payment that it names was truly
seen by one side alone. What is still open in the end is what we were never told.
"""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    import asyncpg

    from recon.sandbox.accounts import Movement
    from recon.sandbox.parts import Sandbox
    from recon.simulation.psp import TruePayment

__all__ = ["shown_rightly"]

_OPEN: Final = frozenset({"open", "investigating", "awaiting_approval"})
_AT_ONCE: Final = timedelta(0)
_EITHER_OF: Final = "either of: "
_UNTOLD: Final = "missing_webhook"
_OF_RESERVATIONS: Final = frozenset({"withdrawal.reserved", "withdrawal.paid", "withdrawal.failed"})


class _Facts:
    """Which bet or payment each posting here and each movement there belongs to.

    Args:
        bets: all of them.
        postings: all of them.
        sandbox: the game's own books.
        payments: what truly became of payments.
    """

    def __init__(
        self,
        bets: Sequence[asyncpg.Record],
        postings: Sequence[asyncpg.Record],
        sandbox: Sandbox,
        payments: Sequence[TruePayment],
    ) -> None:
        self._sandbox = sandbox
        self._postings: dict[str, list[asyncpg.Record]] = {}
        for row in postings:
            self._postings.setdefault(row["user_id"], []).append(row)
        self._known_at = {payment.reference: payment.known_at for payment in payments}
        self._names = {payment.reference: payment.reference for payment in payments}
        for payment in payments:
            self._names |= dict.fromkeys(payment.objects, payment.reference)
        for bet in bets:
            self._name_bet(bet)

    def _name_bet(self, bet: asyncpg.Record) -> None:
        name = str(bet["bet_id"])
        self._names[name] = name
        hold = self._sandbox.book.by_key.get((bet["user_id"], str(bet["hold_key"])))
        if hold is None:
            return
        self._names[hold.hold_id] = name
        if hold.bet is not None:
            self._names[hold.bet.ticket_id] = name
            if hold.bet.payout is not None:
                self._names[hold.bet.payout.transaction_id] = name

    def posting(self, user_id: str, version: int) -> asyncpg.Record:
        """A posting of a player's."""
        return self._postings[user_id][version - 1]

    def moved_since(self, shown: asyncpg.Record) -> bool:
        """Whether the wallet was another than was looked at when the game spoke."""
        known = self._postings[shown["user_id"]]
        seen = [row for row in known if row["recorded_at"] <= shown["game_as_of"]]
        return len(seen) != int(shown["ledger_version"])

    def movements(self, shown: asyncpg.Record, *, earlier: timedelta = _AT_ONCE) -> list[Movement]:
        """What the game had moved for a player when it spoke, or a while earlier."""
        journal = self._sandbox.backend.players[shown["user_id"]].journal
        return [one for one in journal if one.at <= shown["game_as_of"] - earlier]

    def apart(self, shown: asyncpg.Record, *, earlier: timedelta = _AT_ONCE) -> Counter[str]:
        """By how much each bet and payment alone made both sides differ in available money.

        A withdrawal leaves the game when it is paid, whenever it was reserved here.

        Args:
            shown: when the game spoke.
            earlier: so long before it did.
        """
        apart = Counter[str]()
        before = 0
        for row in self._postings.get(shown["user_id"], [])[: shown["ledger_version"]]:
            if row["recorded_at"] > shown["game_as_of"] - earlier:
                break
            change, before = int(row["available_after"]) - before, int(row["available_after"])
            if row["kind"] in _OF_RESERVATIONS:
                change = -int(row["amount"]) if row["kind"] == "withdrawal.paid" else 0
            apart[self._of(row["key"])] -= change
        for one in self.movements(shown, earlier=earlier):
            apart[self._of(one.ref)] += one.available_minor
        return apart

    def could_know(self, name: str, at: datetime) -> bool:
        """Whether anybody had told us of a bet or payment by then, so that it could be named."""
        if name not in self._known_at:
            return True
        known_at = self._known_at[name]
        return known_at is not None and known_at <= at

    def named(self, evidence: dict[str, str], user_id: str) -> str:
        """Which bet or payment a piece of evidence speaks of."""
        if evidence["kind"] == "posting":
            row = self.posting(user_id, int(evidence["id"].rpartition(":")[2]))
            return self._of(row["key"])
        return self._of(evidence["id"])

    def offers(self, shown: asyncpg.Record, name: str) -> bool:
        """Whether it is said that it may as well be this bet or payment."""
        said = [note for note in shown["looked_at"] if _EITHER_OF in note]
        if not said:
            return False
        rows = enumerate(self._postings.get(shown["user_id"], []), start=1)
        ids = [
            f"{shown['user_id']}:{row['currency']}:{at}"
            for at, row in rows
            if self._of(row["key"]) == name
        ]
        ids += [one for one, of in self._names.items() if of == name]
        return any(
            re.search(rf"(?<!\w){re.escape(one)}(?!\w)", note) for one in ids for note in said
        )

    def _of(self, name: str) -> str:
        # What a wallet was opened with is on both sides from the first.
        return self._names.get(name.partition(":")[0], "")


def shown_rightly(
    discrepancies: Sequence[asyncpg.Record],
    bets: Sequence[asyncpg.Record],
    postings: Sequence[asyncpg.Record],
    sandbox: Sandbox,
    payments: Sequence[TruePayment],
    *,
    grace: timedelta,
) -> Iterator[str]:
    """Each discrepancy was true, and what is open is what nobody has told us.

    Args:
        discrepancies: all that were ever shown.
        bets: all of them.
        postings: all of them, each player's in order.
        sandbox: the game's own books.
        payments: what truly became of payments.
        grace: how long a difference must stand before it is shown.
    """
    facts = _Facts(bets, postings, sandbox, payments)
    untold = Counter[str]()
    for payment in payments:
        untold[payment.user_id] += payment.amount.minor if payment.untold else 0
    for shown in discrepancies:
        what = f"discrepancy {shown['cause']} of {shown['user_id']} ({shown['difference']})"
        yield from (f"{what} {fault}" for fault in _false(shown, facts, grace))
        if shown["status"] not in _OPEN:
            continue
        if (shown["cause"], int(shown["difference"])) != (_UNTOLD, untold.pop(shown["user_id"], 0)):
            yield f"{what} is still {shown['status']}"
    for user_id, minor in untold.items():
        if minor:
            yield f"nobody was shown that {user_id} has {minor} that no webhook told"


def _false(shown: asyncpg.Record, facts: _Facts, grace: timedelta) -> Iterator[str]:
    """What of it is not so."""
    user_id = shown["user_id"]
    here = facts.posting(user_id, shown["ledger_version"])
    mine = (int(here["available_after"]), int(here["held_after"]))
    if mine != (int(shown["ledger_available"]), int(shown["ledger_held"])):
        yield "has figures that the ledger never had"
    if facts.moved_since(shown):
        yield "is of a wallet that moved while it was looked at"
    there = facts.movements(shown)
    theirs = (sum(one.available_minor for one in there), sum(one.held_minor for one in there))
    if theirs != (int(shown["game_available"]), int(shown["game_held"])):
        yield f"has figures that the game did not have then: {theirs}"
    apart = facts.apart(shown)
    if not any(apart.values()) and not int(shown["held_difference"]):
        yield "is none: each bet and payment is alike on both sides"
    long_ago = facts.apart(shown, earlier=grace)
    if any(apart.values()) and not any(long_ago[name] for name, minor in apart.items() if minor):
        yield "is younger than the grace period"
    at = shown["game_as_of"]
    if not all(facts.could_know(name, at) for name, minor in apart.items() if minor):
        # What is the likeliest of all that can be known is not what has happened.
        return
    if any(facts.offers(shown, name) for name, minor in apart.items() if minor):
        # Which of several things that fit it is, is left open, and what it is is among them.
        return
    for evidence in shown["evidence"]:
        name = facts.named(evidence, user_id)
        moved = any(one.ref == name for one in there)
        still_there = evidence["cause"] == "missing_game_update" and not moved
        if not apart[name] and not still_there:
            yield f"names {evidence['kind']} {evidence['id']}, which both sides have alike"
