"""How the channels stand: for `recon doctor`, for metrics, and for whoever enables one again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from recon.alerts.errors import ChannelNotFoundError
from recon.alerts.metrics import CHANNEL_GAUGES, show_channel
from recon.alerts.model import ChannelState
from recon.db import load
from recon.db.numbers import DatabaseNumbers

if TYPE_CHECKING:
    import asyncpg

    from recon.alerts.model import Alerting
    from recon.db import Pool

__all__ = [
    "ALERT_NUMBERS",
    "enable_channel",
    "enabled_channels",
    "read_channels",
    "refresh_alert_gauges",
]


async def enabled_channels(connection: asyncpg.Connection[Any], alerting: Alerting) -> list[str]:
    """The names of those in the settings that nothing has disabled."""
    names = [channel.name for channel in alerting.channels]
    rows = await connection.fetch(load("recon.alerts", "enabled_channels"), names)
    return [row["channel"] for row in rows]


async def read_channels(pool: Pool) -> list[ChannelState]:
    """Every channel that was ever in the settings, by its name."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.alerts", "channels"))
    return [ChannelState(**dict(row)) for row in rows]


async def enable_channel(pool: Pool, name: str) -> None:
    """Send through a channel again that its receiver had disabled.

    Raises:
        ChannelNotFoundError: there is none of this name that is disabled.
    """
    async with pool.acquire() as connection:
        enabled = await connection.fetchval(load("recon.alerts", "enable_channel"), name)
    if enabled is None:
        raise ChannelNotFoundError(f"no channel {name[:80]!r} is disabled")


async def refresh_alert_gauges(pool: Pool) -> None:
    """Set this room's gauges by the database: another process may be the one that sends."""
    for state in await read_channels(pool):
        show_channel(state)


ALERT_NUMBERS: Final = DatabaseNumbers("alerts", refresh_alert_gauges, CHANNEL_GAUGES)
