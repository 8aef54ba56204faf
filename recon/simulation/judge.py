"""What must be true after a run, whatever happened in it: both books are read side by side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.money import format_minor
from recon.seals import SealKeys, verify_all
from recon.simulation.heard import looked_into_what_was_missed
from recon.simulation.looks import shown_rightly
from recon.simulation.member import GRACE
from recon.simulation.past import never_went_back, nothing_freed_too_early
from recon.simulation.psp import SOURCE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import asyncpg

    from recon.db import Pool
    from recon.sandbox.parts import Sandbox
    from recon.simulation.callers import Told
    from recon.simulation.heard import Heard
    from recon.simulation.psp import TruePayment

__all__ = ["Truth", "judge"]

_ENDS = {"cashed_out": "cashed_out", "lost": "lost", "void": "void"}
_MAY_BECOME = {
    "placing": {"rejected", "cashed_out", "lost", "void"},
    "placed": {"cashed_out", "lost", "void"},
    "cashing_out": {"cashed_out", "lost", "void"},
    "cashed_out": {"cashed_out"},
    "lost": {"lost"},
    "void": {"void"},
    "refused": {"rejected"},
}


@dataclass(frozen=True, slots=True)
class Truth:
    """What the simulation knows, and the service can only ask.

    Attributes:
        sandbox: the game's own books.
        told: what callers were told.
        payments: what truly became of payments.
        heard: what each process heard of the game's stream, in each of its lives.
    """

    sandbox: Sandbox
    told: Sequence[Told]
    payments: Sequence[TruePayment]
    heard: Sequence[Heard]


async def judge(pool: Pool, truth: Truth) -> list[str]:
    """Every broken promise, in words; none when all is well.

    Args:
        pool: on the run's database, where nothing is under way any more.
        truth: what everything is held against.
    """
    sandbox = truth.sandbox
    async with pool.acquire() as connection:
        bets = await connection.fetch(load("recon.simulation", "bets"))
        postings = await connection.fetch(load("recon.simulation", "postings"))
        shown = await connection.fetch(load("recon.simulation", "discrepancies"))
        wallets = await connection.fetch(load("recon.simulation", "wallets"))
        raised = await connection.fetch(load("recon.simulation", "raised"))
        changes = await connection.fetch(load("recon.simulation", "history"))
        voided = await connection.fetch(load("recon.simulation", "voided"))
    proof = await verify_all(pool, SealKeys())
    return [
        *_once(bets, sandbox),
        *_none_lost(bets, sandbox),
        *_booked(bets, postings, sandbox),
        *_agree(wallets, truth),
        *_paid(postings, truth.payments),
        *shown_rightly(shown, bets, postings, sandbox, truth.payments, grace=GRACE),
        *never_went_back(changes),
        *nothing_freed_too_early(voided, sandbox),
        *_kept_word(bets, truth.told),
        *looked_into_what_was_missed(truth.heard),
        *(f"case {row['kind']} of {row['user_id']}: {row['reason']}" for row in raised),
        *(f"verify: {one.check} {one.user_id}: {one.detail}" for one in proof.faults),
    ]


def _once(bets: Sequence[asyncpg.Record], sandbox: Sandbox) -> Iterator[str]:
    """No stake is taken twice: an intent has one hold and one ticket at the game, or none."""
    keys = {str(bet["hold_key"]) for bet in bets}
    named = {id(hold): key for (_, key), hold in sandbox.book.by_key.items()}
    for hold in sandbox.book.holds.values():
        key = named.get(id(hold))
        if key not in keys:
            yield f"the game holds {hold.hold_id} ({hold.status}) under a key of no bet"
    tickets = Counter(bet["ticket_id"] for bet in bets if bet["ticket_id"] is not None)
    for ticket, times in tickets.items():
        if times > 1:
            yield f"ticket {ticket} stands for {times} bets"


def _none_lost(bets: Sequence[asyncpg.Record], sandbox: Sandbox) -> Iterator[str]:
    """No stake is lost: what the game has, we have, and it ended alike; nothing stays open."""
    ours = {bet["ticket_id"]: bet for bet in bets if bet["ticket_id"] is not None}
    for ticket, theirs in sandbox.book.bets.items():
        bet = ours.get(ticket)
        if bet is None:
            yield f"the game took a stake for {ticket} ({theirs.status}), of which nobody knows"
        elif _ENDS.get(bet["state"]) != theirs.status:
            yield f"bet {bet['bet_id']} is {bet['state']}, the game's {ticket} is {theirs.status}"
    for ticket, bet in ours.items():
        if ticket not in sandbox.book.bets:
            yield f"bet {bet['bet_id']} has {ticket}, which the game does not know"
    for hold in sandbox.book.holds.values():
        if hold.status == "held":
            yield f"the game still holds {hold.hold_id}"


def _booked(
    bets: Sequence[asyncpg.Record], postings: Sequence[asyncpg.Record], sandbox: Sandbox
) -> Iterator[str]:
    """Payouts: the amount is the game's, and nothing was booked before it was completed."""
    booked = {row["key"]: int(row["amount"]) for row in postings}
    for bet in bets:
        if bet["state"] != "cashed_out":
            if f"{bet['bet_id']}:payout" in booked:
                yield f"bet {bet['bet_id']} is {bet['state']} and has a payout booked"
            continue
        payout = sandbox.book.payouts.get(bet["payout_transaction_id"])
        if payout is None or payout.completed_at is None:
            yield f"bet {bet['bet_id']} was paid out without a completed payout"
        elif bet["settled_at"] < payout.completed_at:
            yield f"bet {bet['bet_id']} was paid out before its payout was completed"
        elif booked.get(f"{bet['bet_id']}:payout") != payout.amount_minor:
            yield f"bet {bet['bet_id']} was not paid out what the game says"


def _paid(postings: Sequence[asyncpg.Record], payments: Sequence[TruePayment]) -> Iterator[str]:
    """Each movement of a payment is booked once, to its player, and none is made up."""
    booked = Counter(
        (row["key"].partition(":")[0], row["user_id"], row["kind"], int(row["amount"]))
        for row in postings
        if row["source"] == SOURCE
    )
    for payment in payments:
        for kind in payment.booked:
            known = [
                (name, payment.user_id, kind, payment.amount.minor) for name in payment.objects
            ]
            times = sum(booked.pop(one, 0) for one in known)
            if times != 1:
                yield f"{kind} of {payment.reference} is booked {times} times"
    for (name, user_id, kind, _), times in booked.items():
        yield f"{kind} of {name} is booked {times} times for {user_id}, and never happened"


def _agree(wallets: Sequence[asyncpg.Record], truth: Truth) -> Iterator[str]:
    """Both sides have the same but for what we were never told of; nothing is held."""
    sandbox, untold = truth.sandbox, Counter[str]()
    for payment in truth.payments:
        untold[payment.user_id] += payment.amount.minor if payment.untold else 0
    for row in wallets:
        theirs = sandbox.backend.wallet(row["user_id"], row["currency"])
        if int(row["held"]) or int(row["reserved"]):
            yield f"{row['user_id']} still has money on hold: {_shown(row)}"
        known = theirs.available - untold[row["user_id"]]
        if (int(row["available"]), int(row["held"])) != (known, theirs.held):
            game = format_minor(theirs.available, row["currency"])
            yield f"{row['user_id']} has {_shown(row)} here and {game} at the game"
    for currency, brought in sandbox.backend.brought_in.items():
        there = sandbox.backend.held_by_players(currency) + sandbox.backend.house[currency]
        if there != brought:
            yield f"the game itself has {there} of {brought}: the simulation is broken"


def _kept_word(bets: Sequence[asyncpg.Record], told: Sequence[Told]) -> Iterator[str]:
    """What a caller was told stayed true."""
    by_id = {bet["bet_id"]: bet for bet in bets}
    by_key: dict[tuple[str, str], list[Any]] = {}
    for bet in bets:
        by_key.setdefault((bet["user_id"], bet["caller_key"]), []).append(bet)
    for one in told:
        found = by_key.get((one.user_id, one.caller_key), [])
        if one.bet_id is not None:
            bet = by_id.get(one.bet_id)
            found = [] if bet is None else [bet]
        states = {bet["state"] for bet in found}
        if not states & _MAY_BECOME[one.state]:
            yield f"{one.caller_key} was told {one.state} and is {sorted(states)}"
    for (user_id, key), found in by_key.items():
        stakes = [bet for bet in found if bet["state"] != "rejected"]
        if len(stakes) > 1:
            yield f"{user_id}'s {key} took {len(stakes)} stakes"


def _shown(row: asyncpg.Record) -> str:
    available = format_minor(int(row["available"]), row["currency"])
    return f"{available} and {format_minor(int(row['held']), row['currency'])} held"
