"""The queue's way to a database behind a pooler by transaction, where nobody can listen.

``LISTEN`` there would be forgotten by us and kept by a session that is others'. A notification only
wakes, so that asking often enough does as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pgqueuer.adapters.drivers.asyncpg import AsyncpgPoolDriver

if TYPE_CHECKING:
    from pgqueuer.ports.driver import NotifyCallback

    from recon.db import Pool

__all__ = ["PollingDriver"]


class PollingDriver(AsyncpgPoolDriver):
    """As the queue's own for a pool, but it hears nobody except itself.

    The queue asks now and then whether it is heard, which it is answered.
    """

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self._listeners: list[tuple[str, NotifyCallback]] = []

    async def notify(self, channel: str, payload: str) -> None:
        """Tell those who can listen, and ourselves."""
        await super().notify(channel, payload)
        for listened, callback in self._listeners:
            if listened == channel:
                callback(payload)

    async def add_listener(self, channel: str, callback: NotifyCallback) -> None:
        """Remember whom to tell what we say."""
        self._listeners.append((channel, callback))
