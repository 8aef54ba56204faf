"""Processes behind one port ask each other for their numbers, so that any of them can tell all.

`recon serve --processes N` makes a folder that nobody else may enter; each process listens there on
a socket of its own, and whoever is asked for `/metrics` asks the others. A process that does not
answer is missing from what is told, and `recon_processes` says so.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from prometheus_client import Metric

__all__ = ["Family", "Siblings", "families_of", "siblings_environment", "siblings_of"]

_VARIABLE: Final = "_RECON_SIBLINGS"
_WITHIN_S: Final = 1.0


class Family(msgspec.Struct, array_like=True, frozen=True):
    """The samples of one metric in one process: (name, labels, value) each."""

    name: str
    documentation: str
    kind: str
    samples: list[tuple[str, dict[str, str], float]]


def families_of(metrics: Iterable[Metric]) -> list[Family]:
    """Metrics as they travel between processes."""
    return [
        Family(
            metric.name,
            metric.documentation,
            metric.type,
            [(one.name, dict(one.labels), one.value) for one in metric.samples],
        )
        for metric in metrics
    ]


@dataclass(frozen=True, slots=True)
class Siblings:
    """The processes behind one port.

    Args:
        folder: of the sockets.
        number: of this process, from 0 on.
        processes: how many there are.
    """

    folder: Path
    number: int
    processes: int

    @asynccontextmanager
    async def answering(self, numbers: Iterable[Metric]) -> AsyncIterator[None]:
        """Answer the others.

        Args:
            numbers: this process's; iterated anew for each answer.
        """

        async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                writer.write(msgspec.msgpack.encode(families_of(numbers)))
                await writer.drain()
                writer.close()
                await writer.wait_closed()

        place = self._socket(self.number)
        place.unlink(missing_ok=True)  # of one in whose stead we are
        server = await asyncio.start_unix_server(answer, place)
        made = place.stat().st_ino
        try:
            yield
        finally:
            server.close()
            with suppress(OSError):
                # Another may have come in our stead while we drained.
                if place.stat().st_ino == made:
                    place.unlink()

    async def ask(self) -> dict[int, list[Family]]:
        """What the others that answer in time say, by their number."""
        others = [number for number in range(self.processes) if number != self.number]
        told = await asyncio.gather(*(self._ask(number) for number in others))
        return {
            number: families
            for number, families in zip(others, told, strict=True)
            if families is not None
        }

    async def _ask(self, number: int) -> list[Family] | None:
        try:
            async with asyncio.timeout(_WITHIN_S):
                reader, writer = await asyncio.open_unix_connection(self._socket(number))
                try:
                    said = await reader.read(-1)
                finally:
                    writer.close()
            return msgspec.msgpack.decode(said, type=list[Family])
        except (OSError, TimeoutError, msgspec.DecodeError):
            return None

    def _socket(self, number: int) -> Path:
        return self.folder / f"{number}.sock"


def siblings_environment(folder: Path, number: int, processes: int) -> dict[str, str]:
    """What a process of several is told, for its environment."""
    return {_VARIABLE: f"{number}/{processes}:{folder}"}


def siblings_of(environment: dict[str, str] | None = None) -> Siblings | None:
    """The processes beside this one, as its environment says; ``None`` where it is alone."""
    said = (os.environ if environment is None else environment).get(_VARIABLE)
    if said is None:
        return None
    numbers, _, folder = said.partition(":")
    number, _, processes = numbers.partition("/")
    return Siblings(Path(folder), int(number), int(processes))
