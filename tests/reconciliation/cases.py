"""Discrepancies put on record as a run would, without the waiting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from recon.clock import new_id, now
from recon.four_eyes import Step
from recon.ledger import post_one, read_wallet_or_none, rules
from recon.money import Money, parse_minor
from recon.reconciliation import Cause, Evidence
from recon.reconciliation.compare import GameSays, Snapshot, compare
from recon.reconciliation.explain import Candidate, explain
from recon.reconciliation.history import list_events
from recon.reconciliation.look import Look, LookState
from recon.reconciliation.odds import Standing
from recon.reconciliation.read import read_discrepancy
from recon.reconciliation.record import record_agreements, record_discrepancy

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from recon.db import Pool
    from recon.reconciliation import Discrepancy

AT = datetime(2026, 1, 1, 9, tzinfo=UTC)


def by(actor: str) -> Step:
    """A fresh intent of somebody's."""
    return Step(actor, new_id())


@dataclass
class Cases:
    """What runs, people and PSPs did to wallets."""

    pool: Pool

    async def deposit(self, user: str, amount: str, currency: str = "GBP") -> None:
        async with self.pool.acquire() as connection, connection.transaction():
            await post_one(
                connection,
                rules.fact_for_player(
                    user,
                    Money.parse(amount, currency),
                    kind="deposit.succeeded",
                    source="test",
                    key=f"{new_id()}:deposit",
                    event_at=now(),
                ),
            )

    async def balance(self, user: str, currency: str = "GBP") -> str:
        async with self.pool.acquire() as connection:
            wallet = await read_wallet_or_none(connection, user, currency)
        return str(Money(0 if wallet is None else wallet.available, currency))

    async def seen(
        self,
        user: str,
        game: str,
        *,
        currency: str = "GBP",
        held: str = "0",
        evidence: list[tuple[str, str, Cause]] | None = None,
        since: datetime = AT,
    ) -> UUID:
        """A run confirms that the game shows another balance than the ledger."""
        facts = [
            Evidence(
                "payment", name, parse_minor(amount, currency), AT, f"{name} unreported", cause
            )
            for name, amount, cause in evidence or []
        ]
        look = compare(
            await self._snapshot(user, currency),
            GameSays(parse_minor(game, currency), parse_minor(held, currency), AT),
            tolerance=0,
        )
        async with self.pool.acquire() as connection, connection.transaction():
            return await record_discrepancy(
                connection,
                new_id(),
                look,
                explain(look.difference, [Candidate(fact, Standing.OPEN) for fact in facts]),
                looked_at=["1 payment"],
                since=since,
            )

    async def agrees(self, user: str, currency: str = "GBP") -> None:
        """A run finds the wallet equal at the game."""
        await self.agree(user, currency=currency)

    async def agree(
        self,
        *users: str,
        currency: str = "GBP",
        meanwhile: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """A run finds a page of wallets equal at the game, by what it had read of the ledger."""
        looks = []
        for user in users:
            snapshot = await self._snapshot(user, currency)
            equal = compare(snapshot, GameSays(snapshot.available, snapshot.held, AT), tolerance=0)
            looks.append(Look(user, currency, LookState.AGREES, equal))
        if meanwhile is not None:
            await meanwhile()
        async with self.pool.acquire() as connection, connection.transaction():
            await record_agreements(connection, looks, run_id=new_id())

    async def read(self, discrepancy_id: UUID) -> Discrepancy:
        async with self.pool.acquire() as connection:
            return await read_discrepancy(connection, discrepancy_id)

    async def history(self, discrepancy_id: UUID) -> list[tuple[str, str]]:
        """(actor, action), oldest first; a run is just ``run``."""
        async with self.pool.acquire() as connection:
            events = await list_events(connection, discrepancy_id)
        return [(event.actor.partition(":")[0], event.action) for event in events]

    async def audit(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        async with self.pool.acquire() as connection:
            rows = await connection.fetch("SELECT * FROM audit ORDER BY at, audit_id")
        return [(row["actor"], row["action"], row["object"], row["detail"]) for row in rows]

    async def later(self, passed: timedelta) -> None:
        """As if what is ignored had been ignored that much earlier."""
        async with self.pool.acquire() as connection:
            await connection.execute(
                "UPDATE discrepancies SET ignored_until = ignored_until - $1::interval", passed
            )

    async def _snapshot(self, user: str, currency: str) -> Snapshot:
        async with self.pool.acquire() as connection:
            wallet = await read_wallet_or_none(connection, user, currency)
        return Snapshot(
            user_id=user,
            currency=currency,
            available=0 if wallet is None else wallet.available,
            held=0 if wallet is None else wallet.held,
            reserved=0 if wallet is None else wallet.reserved,
            version=0 if wallet is None else wallet.version,
            unreported=0,
            accepted=(),
            unsettled=0,
        )
