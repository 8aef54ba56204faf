"""``GET /metrics``: this process's numbers, those of the processes beside it, and the database's.

What a process counts is its own, labelled by its number where several share a port. What the
database knows is told once, without that label: it is read when somebody asks, not more often than
every few seconds, and so seldom that reading takes a twentieth of the time at most, however much
is open.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING, Final

import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, Gauge, Metric, generate_latest

from recon.db import POOL, Pool
from recon.db.pool import UNREACHABLE
from recon.http.siblings import Family, families_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator, Sequence

    from recon.db.numbers import DatabaseNumbers
    from recon.http.siblings import Siblings

__all__ = ["METRICS", "Metrics", "routes"]

routes = web.RouteTableDef()
log = structlog.get_logger(__name__)

_FRESH_S: Final = 5.0
_SPARING: Final = 20.0
"""Times as long as a reading took, no other is made."""
_WITHIN_S: Final = 2.0
_ALL_WITHIN_S: Final = 5.0
"""Below Prometheus' usual ten seconds."""

_processes = Gauge("recon_processes", "Processes behind this port that have told their numbers.")
_expected = Gauge("recon_processes_expected", "Processes that there should be behind this port.")
_serves = Gauge(
    "recon_serves",
    "1: webhooks, calls and pages are answered here; 0: by others, as beside a worker.",
)
_up = Gauge(
    "recon_database_numbers_up",
    "Whether what the database knows of a part is told; what cannot be read is left out.",
    ["part"],
)
_took_s = Gauge(
    "recon_database_numbers_seconds", "How long it took to read it from the database.", ["part"]
)
_TOLD_ONCE: Final = frozenset(
    family.name
    for gauge in (_processes, _expected, _serves, _up, _took_s)
    for family in gauge.describe()
)


@dataclass(slots=True)
class _Reading:
    """How one part stands in this process."""

    is_current: bool = False
    next_s: float = float("-inf")


class Metrics:
    """What `/metrics` tells; belongs to one event loop.

    Args:
        numbers: what the database knows.
        siblings: the processes behind the same port; ``None``: this one is alone.
        serves: whether the service is behind this port; not beside a worker.
    """

    def __init__(
        self,
        numbers: Sequence[DatabaseNumbers] = (),
        siblings: Siblings | None = None,
        *,
        serves: bool = True,
    ) -> None:
        self._numbers = numbers
        self._siblings = siblings
        self._serves = serves
        self._readings = {one.part: _Reading() for one in numbers}
        self._of_the_database = _TOLD_ONCE.union(*(one.families for one in numbers))
        self._turn = asyncio.Lock()

    async def answering(self, _: web.Application) -> AsyncIterator[None]:
        """Answer the processes beside this one; for ``cleanup_ctx``."""
        if self._siblings is None:
            yield
            return
        async with self._siblings.answering(_Registry()):
            yield

    async def text(self, pool: Pool) -> bytes:
        """All of it, in Prometheus' text format."""
        async with self._turn:
            await self._read(pool)
        _serves.set(self._serves)
        siblings = self._siblings
        if siblings is None:
            _processes.set(1)
            _expected.set(1)
            return await asyncio.to_thread(generate_latest, _Told([*self._own()]))
        others = await siblings.ask()
        _processes.set(1 + len(others))
        _expected.set(siblings.processes)
        return await asyncio.to_thread(self._merge, siblings.number, others)

    async def _read(self, pool: Pool) -> None:
        """Bring the database's gauges up to date, where it is time to."""
        until_s = monotonic() + _ALL_WITHIN_S
        for one in self._numbers:
            reading = self._readings[one.part]
            began_s = monotonic()
            if began_s < reading.next_s:
                continue
            reading.is_current = False
            try:
                async with asyncio.timeout(min(_WITHIN_S, until_s - began_s)):
                    await one.refresh(pool)
                reading.is_current = True
            except UNREACHABLE as error:
                log.warning("numbers_not_read", part=one.part, error=type(error).__name__)
            took_s = monotonic() - began_s
            # One for which there was no time is next in turn.
            if began_s < until_s:
                reading.next_s = began_s + max(_FRESH_S, took_s * _SPARING)
            _took_s.labels(one.part).set(took_s)
            _up.labels(one.part).set(reading.is_current)

    def _own(self) -> Iterator[Metric]:
        """This process's numbers, and what of the database's is current."""
        stale = {
            name
            for one in self._numbers
            if not self._readings[one.part].is_current
            for name in one.families
        }
        return (metric for metric in REGISTRY.collect() if metric.name not in stale)

    def _merge(self, number: int, others: dict[int, list[Family]]) -> bytes:
        own = families_of(self._own())
        merged: dict[str, Metric] = {}
        for process, families in sorted({**others, number: own}.items()):
            for family in families:
                once = family.name in self._of_the_database
                if once and process != number:
                    continue
                metric = merged.get(family.name)
                if metric is None:
                    metric = Metric(family.name, family.documentation, family.kind)
                    merged[family.name] = metric
                label = {} if once else {"process": str(process)}
                for name, labels, value in family.samples:
                    metric.add_sample(name, {**labels, **label}, value)
        return generate_latest(_Told([*merged.values()]))


class _Registry:
    """This process's metrics, collected anew at each iteration."""

    def __iter__(self) -> Iterator[Metric]:
        return iter(REGISTRY.collect())


@dataclass(frozen=True, slots=True)
class _Told:
    """Metrics that were collected already, for `generate_latest`."""

    metrics: Iterable[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.metrics


METRICS: web.AppKey[Metrics] = web.AppKey("metrics", Metrics)


@routes.get("/metrics")
async def metrics(request: web.Request) -> web.Response:
    """Prometheus' text format; never labelled by user."""
    text = await request.config_dict[METRICS].text(request.config_dict[POOL])
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})
