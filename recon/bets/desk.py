"""Where bets share their commits: what arrives while one is under way goes into the next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import ref

from aiohttp import web
from prometheus_client import Gauge, Histogram

from recon.bets.concluding import conclude_each
from recon.bets.opening import open_each
from recon.db.sharing import Shared

if TYPE_CHECKING:
    from recon.bets.concluding import Conclusion
    from recon.bets.model import Bet
    from recon.bets.opening import Opening
    from recon.db import Pool

__all__ = ["DESK", "Desk"]

_shared = Histogram(
    "recon_bets_commit_bets",
    "Bets that shared a commit, by what was written.",
    ["commit"],
    buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256),
)
_waiting = Gauge(
    "recon_bets_waiting", "Bets that wait for their commit or are in one, by commit.", ["commit"]
)


class Desk:
    """The queues before the commits of bets; belongs to one event loop.

    Intents and outcomes do not wait for each other: under load both are under way all the time.

    Args:
        pool: the database.
    """

    def __init__(self, pool: Pool) -> None:
        self._opening: Shared[Opening, str] = Shared(
            lambda openings: open_each(pool, openings),
            weigh=lambda opening: len(opening.bet.hold_body),
            observe=_shared.labels("intent").observe,
            name="bets.intent",
        )
        self._concluding: Shared[Conclusion, Bet] = Shared(
            lambda conclusions: conclude_each(pool, conclusions),
            observe=_shared.labels("outcome").observe,
            name="bets.outcome",
        )
        _show_waiting("intent", self._opening)
        _show_waiting("outcome", self._concluding)

    async def open(self, opening: Opening) -> str:
        """As `open_each`, of one bet."""
        return await self._opening.take_one(opening)

    async def conclude(self, conclusion: Conclusion) -> Bet:
        """As `conclude_each`, of one bet."""
        return await self._concluding.take_one(conclusion)

    async def finish(self) -> None:
        """Wait until nothing waits any more."""
        await self._opening.finish()
        await self._concluding.finish()


def _show_waiting(commit: str, shared: Shared[Any, Any]) -> None:
    seen = ref(shared)
    _waiting.labels(commit).set_function(lambda: 0 if (it := seen()) is None else it.waiting)


DESK: web.AppKey[Desk] = web.AppKey("desk", Desk)
