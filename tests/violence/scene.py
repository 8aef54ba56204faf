"""One scenario: the service, its own database, the line between them, and a PSP at work."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import aiohttp

from tests.violence.budget import PATIENCE_S, SEED

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from random import Random

    from tests.violence.books import Books
    from tests.violence.cluster import Cluster
    from tests.violence.line import Line
    from tests.violence.process import Service
    from tests.violence.psp import Psp
    from tests.violence.sealing import Sealing

__all__ = ["Scene"]

_MOST_MEMORY_MB: Final = 250
_AT_LEAST: Final = 2


@dataclass
class Scene:
    """Everything that a scenario may hurt.

    Attributes:
        slowest_recovery_s: the longest until events were acknowledged again.
        harm: what was done, and how often.
        in_flight: calls that were under way when harm was done.
    """

    name: str
    cluster: Cluster
    line: Line
    service: Service
    books: Books
    psp: Psp
    sealing: Sealing
    chance: Random
    in_flight: int = 0
    harm: dict[str, int] = field(default_factory=dict)
    slowest_recovery_s: float = 0.0
    lost: int | None = None
    doubled: int | None = None

    @asynccontextmanager
    async def under_load(self) -> AsyncIterator[None]:
        """Traffic for the length of the block, from the first acknowledged event on."""
        async with self.sealing.at_work(), self.psp.load():
            await self.psp.acknowledged_more(20)
            yield

    async def hurt(self, name: str, do_harm: Callable[[], Awaitable[bool]]) -> None:
        """Do harm and count it, with the calls that were under way."""
        under_way = self.psp.in_flight
        if await do_harm():
            self.harm[name] = self.harm.get(name, 0) + 1
            self.in_flight += under_way

    async def again_and_again(
        self,
        seconds: float,
        do_harm: Callable[[], Awaitable[bool]],
        name: str,
        *,
        at_least: int = _AT_LEAST,
        hasty: bool = True,
    ) -> None:
        """Do harm at random moments under load, wait until all goes on, and do it again.

        Args:
            seconds: no harm is done after that.
            do_harm: true if it was done.
            name: what it is counted as.
            at_least: how often it is done however long that takes.
            hasty: sometimes it comes again before all is well.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        while clock() < until or self.harm.get(name, 0) < at_least:
            await asyncio.sleep(self.chance.uniform(0.02, 0.5))
            await self.hurt(name, do_harm)
            if hasty and self.chance.random() < 0.2:  # while it recovers
                await asyncio.sleep(self.chance.uniform(0, 0.3))
                await self.hurt(name, do_harm)
            await self.recovered()

    async def recovered(self) -> None:
        """Wait until Postgres and the service are up and events are acknowledged again."""
        clock = asyncio.get_running_loop().time
        started = clock()
        await self.cluster.up()
        await self.service.up()
        await self.psp.acknowledged_more(10)
        self.slowest_recovery_s = max(self.slowest_recovery_s, clock() - started)

    async def judge(self) -> None:
        """After all of it: every 2xx is booked, once, and the books hold to the penny."""
        await self.cluster.up()
        await self.service.up()
        tally = self.psp.tally
        # Before anything is sent again: what was acknowledged is there by itself.
        lost = await self.books.lost(tally.acknowledged)
        self.lost, self.doubled = len(lost), len(await self.books.doubled())
        assert not lost, lost[:5]

        await self.psp.finish()
        assert tally.acknowledged == tally.events
        lost = await self.books.lost(tally.acknowledged)
        doubled = await self.books.doubled()
        booked = await self.books.booked()
        missing, unheard_of = self.psp.postings - booked, booked - self.psp.postings
        self.lost, self.doubled = len(lost) + len(missing), len(doubled) + len(unheard_of)
        assert not lost, lost[:5]
        assert not missing, missing
        assert not doubled, doubled[:5]
        assert not unheard_of, unheard_of
        await self._adds_up()
        assert not tally.faults, tally.faults[:5]
        assert not self.sealing.faults, self.sealing.faults[:5]
        assert self.service.memory_mb() < _MOST_MEMORY_MB

    async def _adds_up(self) -> None:
        expected = dict(self.psp.expected)
        wallets = await self.books.wallets()
        suspense = {of: found for of, found in wallets.items() if of[0].startswith("~")}
        players = {of: found for of, found in wallets.items() if of not in suspense}
        wrong = {of: (found[0], expected.get(of)) for of, found in players.items()}
        wrong = {of: pair for of, pair in wrong.items() if pair[0] != pair[1]}
        assert not wrong, f"is, and should be: {wrong}"
        assert players.keys() == expected.keys()
        assert all(kept == 0 for _, kept, _ in players.values()), "every withdrawal has ended"
        assert all(available == folded for available, _, folded in wallets.values())
        assert all(found == (0, 0, 0) for found in suspense.values()), "all is released"
        states = await self.books.deliveries()
        assert states.keys() <= {"booked", "repeated", "ignored"}, states
        assert sum(states.values()) == len(self.psp.tally.events)
        code, verified = await self.service.run("verify", "--json")
        assert (code, verified["ok"]) == (0, True), verified["faults"]
        assert verified["signatures"] == "checked", "some of it is sealed"
        assert verified["deliveries"] == len(self.psp.tally.events)

    async def ready(self) -> bool:
        """Whether the service says that it is."""
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session,
                session.get(f"{self.service.url}/readyz") as answer,
            ):
                return answer.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async def until_ready(self) -> None:
        """Wait until it is, by itself."""
        async with asyncio.timeout(PATIENCE_S):
            while not await self.ready():  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    def told(self) -> str:
        """The numbers, for people."""
        tally = self.psp.tally
        harm = ", ".join(f"{name} {times}" for name, times in self.harm.items()) or "no harm"
        name = self.name.removeprefix("test_").replace("_", " ")
        unknown = "?"
        return (
            f"{name}: {harm}; in flight then {self.in_flight}; "
            f"acknowledged {len(tally.acknowledged)}, retried {tally.retried}, "
            f"5xx {tally.refused}, unanswered {tally.unanswered}, rows sealed {self.sealing.rows}, "
            f"slowest answer {tally.slowest_s:.1f} s, back after {self.slowest_recovery_s:.1f} s; "
            f"lost {unknown if self.lost is None else self.lost}, "
            f"doubled {unknown if self.doubled is None else self.doubled} (seed {SEED})"
        )
