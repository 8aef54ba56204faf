"""A chain of seals that is not to be built on, and sealing that fails pass after pass."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from recon.alerts.channels import enabled_channels
from recon.alerts.model import AlertType
from recon.alerts.outbox import put, take_on
from recon.clock import new_id, now
from recon.db import with_retries
from recon.seals import ChainBrokenError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from recon.alerts.model import Alerting
    from recon.db import Pool

__all__ = ["SealWatch", "tell_broken_chain"]

_PATIENCE_S: Final = 900.0


class SealWatch:
    """Makes passes of a sealer, and tells people of those that cannot be put right by the next.

    A chain that is not to be built on is told at once; whatever else fails, such as a right that
    was taken away, once no pass has ended well for a quarter of an hour.

    Args:
        pool: the database.
        alerting: the rules and the ways; ``None``: nobody is told.
    """

    def __init__(self, pool: Pool, alerting: Alerting | None) -> None:
        self._pool = pool
        self._alerting = alerting
        self._failing_since_s: float | None = None

    async def make(self, seal: Callable[[], Awaitable[None]]) -> None:
        """Make a pass; what it raises is raised again, for the log."""
        try:
            await seal()
        except ChainBrokenError as error:
            await self._tell(error.message)
            raise
        except Exception as error:
            at_s = monotonic()
            if self._failing_since_s is None:
                self._failing_since_s = at_s
            if at_s - self._failing_since_s >= _PATIENCE_S:
                # The same words each time: people are told once a day.
                name = type(error).__name__
                await self._tell(f"every pass has failed for long, the last by {name}; see the log")
            raise
        self._failing_since_s = None

    async def _tell(self, reason: str) -> None:
        if self._alerting is not None:
            await tell_broken_chain(self._pool, self._alerting, reason)


@with_retries
async def tell_broken_chain(pool: Pool, alerting: Alerting, reason: str) -> UUID | None:
    """Tell people, once a day for as long as it is so, why nothing is sealed any more.

    Args:
        pool: the database.
        alerting: the rules and the ways.
        reason: as the sealer has it.

    Returns:
        The message, ``None`` where it was told today or no channel that wants it works.
    """
    alert_id = new_id()
    subject = f"{now():%Y-%m-%d} {reason}"
    data: dict[str, Any] = {"reason": reason}
    async with pool.acquire() as connection, connection.transaction():
        enabled = await enabled_channels(connection, alerting)
        channels = [
            channel.name
            for channel in alerting.channels
            if channel.name in enabled and AlertType.SEALS_BROKEN in channel.wants
        ]
        if not channels or not await take_on(connection, alert_id, "seals", [(subject, None)]):
            return None
        await put(connection, alerting, alert_id, AlertType.SEALS_BROKEN, data, channels=channels)
    return alert_id
