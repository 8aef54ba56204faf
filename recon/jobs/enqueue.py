"""Put a job in the queue, inside the caller's transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.queries import Queries

if TYPE_CHECKING:
    from collections.abc import Mapping

    import asyncpg

__all__ = ["enqueue"]


async def enqueue(
    connection: asyncpg.Connection[Any],
    name: str,
    payload: Mapping[str, str],
    *,
    dedupe_key: str,
    priority: int = 0,
) -> None:
    """Queue ``name`` once: nothing happens while a job of the same ``dedupe_key`` waits or runs."""
    await Queries(AsyncpgDriver(connection)).enqueue(
        name,
        msgspec.json.encode(payload),
        priority=priority,
        dedupe_key=dedupe_key,
        on_conflict="skip",
    )
