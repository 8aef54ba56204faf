"""A chain of seals that is not to be built on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.alerts.channels import enabled_channels
from recon.alerts.model import AlertType
from recon.alerts.outbox import put, take_on
from recon.clock import new_id, now
from recon.db import with_retries

if TYPE_CHECKING:
    from uuid import UUID

    from recon.alerts.model import Alerting
    from recon.db import Pool

__all__ = ["tell_broken_chain"]


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
