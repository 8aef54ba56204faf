"""Verify by the clock: begin a verification when one is due, make it, keep what it found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import structlog
from prometheus_client import Gauge

from recon.clock import new_id, now
from recon.db import load, with_retries
from recon.db.numbers import DatabaseNumbers
from recon.jobs import enqueue
from recon.seals.anchor import read_anchor
from recon.seals.proof import verify_all

if TYPE_CHECKING:
    from datetime import datetime, timedelta
    from pathlib import Path
    from uuid import UUID

    from recon.db import Pool
    from recon.seals.keys import SealKeys

__all__ = [
    "VERIFICATION_NUMBERS",
    "VERIFY_JOB",
    "Verified",
    "Verifier",
    "forget_verifications",
    "last_verification",
]

log = structlog.get_logger(__name__)

VERIFY_JOB: Final = "verify"

_faults = Gauge("recon_verify_faults", "What did not hold when the books were last verified.")
_failed = Gauge("recon_verify_failed", "Whether the last verification could not be made.")
_age_s = Gauge("recon_verify_age_seconds", "How long ago the last one ended; NaN before the first.")


@dataclass(frozen=True, slots=True)
class Verified:
    """How a verification has ended.

    Args:
        state: ``holds``, ``faulty``, or ``failed`` where it could not be made.
        finished_at: when.
        faults: how many there were.
        reason: why it could not be made.
    """

    state: str
    finished_at: datetime
    faults: int
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """Verifies the books and their past as `recon verify` does, and keeps what it found.

    Args:
        pool: the database; one connection of it is taken for as long as it lasts.
        keys: every key that seals were ever signed with.
        anchor: the file in which the newest seal is kept, if any.
        every: between two.
    """

    pool: Pool
    keys: SealKeys
    anchor: Path | None
    every: timedelta

    @with_retries
    async def begin(self) -> None:
        """Begin one when it is due, and queue the one that is under way, in one commit.

        The first is due once the first seal is as old as that. One whose worker has gone is queued
        again, and so goes on; while its job waits or runs nothing happens.
        """
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(
                load("recon.seals", "begin_verification"), new_id(), self.every
            )
            under_way = await connection.fetchval(load("recon.seals", "verification_under_way"))
            if under_way is not None:
                await enqueue(
                    connection,
                    VERIFY_JOB,
                    {"verification_id": str(under_way)},
                    dedupe_key=VERIFY_JOB,
                )

    async def verify(self, verification_id: UUID) -> None:
        """Make one; what another worker has ended meanwhile is left as it is."""
        anchor = None if self.anchor is None else read_anchor(self.anchor)
        proof = await verify_all(self.pool, self.keys, anchor=anchor)
        said = log.info if proof.ok else log.error
        said("verified", ok=proof.ok, faults=len(proof.faults), postings=proof.postings)
        state = "holds" if proof.ok else "faulty"
        await self._end(verification_id, state, [asdict(fault) for fault in proof.faults], None)

    async def give_up(self, verification_id: UUID) -> None:
        """End one that was begun again and again and never ended."""
        reason = "it was begun again and again and never ended; see the log"
        await self._end(verification_id, "failed", [], reason)

    async def _end(
        self, verification_id: UUID, state: str, faults: list[dict[str, str]], reason: str | None
    ) -> None:
        async with self.pool.acquire() as connection:
            await connection.execute(
                load("recon.seals", "end_verification"), verification_id, state, faults, reason
            )


async def last_verification(pool: Pool) -> Verified | None:
    """The newest that has ended; ``None``: there was none yet."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(load("recon.seals", "last_verification"))
    return None if row is None else Verified(**dict(row))


async def forget_verifications(pool: Pool, before: datetime) -> None:
    """Drop what older ones found; the newest stay, by which the next is told apart."""
    async with pool.acquire() as connection:
        await connection.execute(load("recon.seals", "forget_verifications"), before)


async def _refresh(pool: Pool) -> None:
    last = await last_verification(pool)
    _faults.set(0 if last is None else last.faults)
    _failed.set(last is not None and last.state == "failed")
    _age_s.set(float("nan") if last is None else (now() - last.finished_at).total_seconds())


VERIFICATION_NUMBERS: Final = DatabaseNumbers("verification", _refresh, (_faults, _failed, _age_s))
