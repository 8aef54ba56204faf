"""Share the intake's commits: see `recon.db.sharing`.

Memory is bounded: past a limit of waiting deliveries the answer is 503, and the PSP comes again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from weakref import ref

from aiohttp import web
from prometheus_client import Gauge, Histogram

from recon.db.sharing import MOST_BYTES, MOST_WAITING, PATIENCE_S, WITHIN_S, Shared
from recon.webhooks.errors import IntakeUnavailableError
from recon.webhooks.receive import receive_each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from recon.db import Pool
    from recon.webhooks.model import Delivery, Outcome

    TakeIn = Callable[
        [Pool, Sequence[Delivery]], Awaitable[Sequence[Outcome | IntakeUnavailableError]]
    ]

__all__ = ["DRAIN", "Drain"]

_batch_size = Histogram(
    "recon_intake_commit_deliveries",
    "Deliveries that shared a commit.",
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
_waiting = Gauge(
    "recon_intake_waiting_deliveries",
    f"Deliveries that wait for their commit or are in one; past {MOST_WAITING} callers hear 503.",
)


class Drain:
    """The queue before the commit; belongs to one event loop.

    Args:
        pool: the database.
        most_waiting: deliveries that may wait; more are refused.
        most_bytes: of their bodies, likewise.
        take_in: commits deliveries and says what became of each, in their order.
        within_s: nobody waits longer for an answer.
        patience_s: how long a commit may take before the next one begins beside it.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        most_waiting: int = MOST_WAITING,
        most_bytes: int = MOST_BYTES,
        take_in: TakeIn = receive_each,
        within_s: float = WITHIN_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._take_in = take_in
        self._shared: Shared[Delivery, Outcome] = Shared(
            lambda deliveries: self._take_in(pool, deliveries),
            refused=IntakeUnavailableError,
            weigh=lambda delivery: len(delivery.body),
            observe=_batch_size.observe,
            most_waiting=most_waiting,
            most_bytes=most_bytes,
            within_s=within_s,
            patience_s=patience_s,
            name="webhooks.commit",
        )
        seen = ref(self._shared)
        _waiting.set_function(lambda: 0 if (shared := seen()) is None else shared.waiting)

    async def take(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Wait for the commit that these deliveries are in; what became of each, in their order.

        They stand in one commit together. If the caller is cancelled they are taken all the same.

        Raises:
            IntakeUnavailableError: too many wait already, or the database cannot take them, or not
                in time; one that was not taken makes the whole call be sent again, and the others
                are repeats then.
        """
        return await self._shared.take(deliveries)

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        await self._shared.finish()


DRAIN: web.AppKey[Drain] = web.AppKey("drain", Drain)
