"""Write what looks came to: agreements, and discrepancies with their history."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from recon.clock import format_time, new_id
from recon.db import load
from recon.money import exponent_of
from recon.reconciliation.explain import Explanation, severity_of
from recon.reconciliation.model import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    import asyncpg

    from recon.reconciliation.compare import Comparison
    from recon.reconciliation.look import Look
    from recon.reconciliation.model import Evidence

__all__ = [
    "AgreedMeanwhileError",
    "record_agreements",
    "record_discrepancy",
    "record_event",
    "record_unsettled",
]


_AT_REST = frozenset({Status.IGNORED, Status.RESOLVED, Status.CLEARED})
_MAY_BE_COMMITTED_LATER = timedelta(minutes=1)
_MAY_COME_BACK = timedelta(days=30)
"""The same difference later than this is another one."""


class AgreedMeanwhileError(Exception):
    """What differed at this look was seen to agree after it: it has not stood."""


async def record_agreements(
    connection: asyncpg.Connection[Any], looks: Sequence[Look], *, run_id: UUID
) -> None:
    """These wallets agree: remember at which version, and close what was open about them.

    Only where the wallet still is what was compared: one that has moved since is left as it was,
    for the next look. The wallets' checks are locked in key order, and only then what hangs on
    them.
    """
    agreed = sorted(
        (look.comparison for look in looks if look.comparison is not None),
        key=lambda one: (one.snapshot.user_id, one.snapshot.currency),
    )
    if not agreed:
        return
    users = [one.snapshot.user_id for one in agreed]
    currencies = [one.snapshot.currency for one in agreed]
    versions = [one.snapshot.version for one in agreed]
    # Before the checks, as whoever decides on a suspect locks it before its wallet's check.
    await connection.execute(load("recon.reconciliation", "begin_anew"), run_id, users, currencies)
    await connection.execute(
        load("recon.reconciliation", "record_agreements"),
        users,
        currencies,
        versions,
        [_taken_until(one) for one in agreed],
    )
    cleared = await connection.fetch(
        load("recon.reconciliation", "clear_discrepancies"), users, currencies, versions
    )
    if cleared:
        closed = [(row["user_id"], row["discrepancy_id"]) for row in cleared]
        await _expire(connection, run_id, closed, "the wallet agrees without it")
        of_wallet = {(one.snapshot.user_id, one.snapshot.currency): one for one in agreed}
        looks_at = [of_wallet[row["user_id"], row["currency"]] for row in cleared]
        await connection.execute(
            load("recon.reconciliation", "healed_discrepancies"),
            run_id,
            [row["user_id"] for row in cleared],
            [row["discrepancy_id"] for row in cleared],
            [one.snapshot.version for one in looks_at],
            [Decimal(one.snapshot.available) for one in looks_at],
            [Decimal(one.snapshot.held) for one in looks_at],
            [Decimal(one.game.available) for one in looks_at],
            [Decimal(one.game.held) for one in looks_at],
        )
    for row in cleared:
        await record_event(
            connection,
            row["user_id"],
            row["discrepancy_id"],
            actor=f"run:{run_id}",
            action=row["status"],
        )


async def record_unsettled(
    connection: asyncpg.Connection[Any], user_id: str, currency: str
) -> None:
    """The last look was no agreement: the next run of changed wallets looks again."""
    await connection.execute(
        load("recon.reconciliation", "record_unsettled"), [user_id], [currency]
    )


async def record_discrepancy(
    connection: asyncpg.Connection[Any],
    run_id: UUID,
    look: Comparison,
    explanation: Explanation,
    *,
    looked_at: Sequence[str],
    since: datetime,
) -> UUID:
    """Open the wallet's discrepancy, see it again, or see one that had closed come back; its id.

    Raises:
        AgreedMeanwhileError: after this look at the ledger somebody saw the wallet agree.
    """
    snapshot = look.snapshot
    user_id, currency = snapshot.user_id, snapshot.currency
    # The wallet's lock, taken first here as in `record_agreements`: whoever else decides on this
    # wallet comes after us, and finds the discrepancy that we open.
    await record_unsettled(connection, user_id, currency)
    if snapshot.read_at is not None and await connection.fetchval(
        load("recon.reconciliation", "agreed_since"), user_id, currency, snapshot.read_at
    ):
        raise AgreedMeanwhileError
    live = await connection.fetchrow(
        load("recon.reconciliation", "live_discrepancy"),
        *(user_id, currency),
        *(Decimal(look.available_difference), Decimal(look.held_difference)),
        _MAY_COME_BACK,
    )
    discrepancy_id: UUID = new_id() if live is None else live["discrepancy_id"]
    severity = severity_of(
        look.difference, exponent_of(currency), unexplained=explanation.unexplained != 0
    )
    statement = "insert_discrepancy" if live is None else "update_discrepancy"
    status: str = await connection.fetchval(
        load("recon.reconciliation", statement),
        *(user_id, discrepancy_id, currency, severity, explanation.cause),
        *(Decimal(snapshot.available), Decimal(snapshot.held), Decimal(snapshot.reserved)),
        snapshot.version,
        *(Decimal(look.game.available), Decimal(look.game.held), look.game.as_of),
        *(Decimal(look.available_difference), Decimal(look.held_difference)),
        *(Decimal(explanation.explained), Decimal(explanation.unexplained)),
        [_plain(fact) for fact in explanation.evidence],
        [*looked_at, *explanation.notes],
        since,
        run_id,
        explanation.confidence,
        [
            {"confidence": one.confidence, "evidence": [_plain(fact) for fact in one.evidence]}
            for one in explanation.alternatives
        ],
        *_root(explanation),
    )
    standing = _standing(live, status, look)
    if standing == "changed":
        # What was weighed is no longer the case, though the ledger has not moved.
        await _expire(connection, run_id, [(user_id, discrepancy_id)], "the difference changed")
    await connection.execute(
        load("recon.reconciliation", "saw_discrepancy"), run_id, user_id, discrepancy_id, standing
    )
    # That it was merely seen again is told by the run; a history of that would say nothing.
    if standing != "persisting":
        await record_event(
            connection,
            user_id,
            discrepancy_id,
            actor=f"run:{run_id}",
            action=standing,
            detail={"difference": str(look.difference), "cause": explanation.cause},
        )
    elif live is not None and (live["cause"], live["severity"]) != (explanation.cause, severity):
        await record_event(
            connection,
            user_id,
            discrepancy_id,
            actor=f"run:{run_id}",
            action="explained_anew",
            detail={
                "difference": str(look.difference),
                "cause": explanation.cause,
                "cause_before": live["cause"],
                "severity": severity,
                "severity_before": live["severity"],
            },
        )
    return discrepancy_id


async def record_event(
    connection: asyncpg.Connection[Any],
    user_id: str,
    discrepancy_id: UUID,
    *,
    actor: str,
    action: str,
    detail: dict[str, str] | None = None,
) -> None:
    """Append to a discrepancy's history."""
    await connection.execute(
        load("recon.reconciliation", "insert_event"),
        *(user_id, discrepancy_id, new_id(), actor, action, detail or {}),
    )


async def _expire(
    connection: asyncpg.Connection[Any],
    run_id: UUID,
    cases: Sequence[tuple[str, UUID]],
    reason: str,
) -> None:
    """Close what is proposed for these as stale, and say so in their history."""
    expired = await connection.fetch(
        load("recon.reconciliation", "expire_adjustments"),
        [user_id for user_id, _ in cases],
        [discrepancy_id for _, discrepancy_id in cases],
        reason,
    )
    for row in expired:
        await record_event(
            connection,
            row["user_id"],
            row["discrepancy_id"],
            actor=f"run:{run_id}",
            action="adjustment_stale",
            detail={"adjustment_id": str(row["adjustment_id"]), "reason": row["decision_reason"]},
        )


def _taken_until(look: Comparison) -> datetime | None:
    """Until when every withdrawal accepted by a PSP is known to have left the game."""
    snapshot = look.snapshot
    if not (look.all_taken and snapshot.accepted) or snapshot.read_at is None:
        return None
    # What was accepted just before may not have been committed yet when the ledger was read.
    return snapshot.read_at - _MAY_BE_COMMITTED_LATER


def _standing(live: asyncpg.Record | None, status: str, look: Comparison) -> str:
    """How a discrepancy stands against what was known of its wallet before this run."""
    if live is None:
        return "opened"
    if live["status"] in _AT_REST and status != live["status"]:
        return "reopened"
    before = (int(live["available_difference"]), int(live["held_difference"]))
    now = (look.available_difference, look.held_difference)
    return "persisting" if before == now else "changed"


def _root(explanation: Explanation) -> tuple[str | None, datetime | None]:
    """What the fact that names the cause has in common with others, and when it was."""
    naming = [fact for fact in explanation.evidence if fact.cause is explanation.cause]
    if not naming:
        return None, None
    largest = max(naming, key=lambda fact: abs(fact.amount))
    return (None, None) if largest.root is None else (largest.root, largest.at)


def _plain(fact: Evidence) -> dict[str, str | None]:
    return {
        "kind": fact.kind,
        "id": fact.id,
        "amount": str(fact.amount),
        "at": format_time(fact.at),
        "summary": fact.summary,
        "cause": fact.cause,
        "root": fact.root,
        "finding": fact.finding,
    }
