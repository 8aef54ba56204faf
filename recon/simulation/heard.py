"""What the game's stream told each process, and whether it looked into what it was not told.

What was missed does no lasting harm: each bet has its next look all the same, within a minute or
so. The end of a run shows nothing of it, then; a player waits meanwhile for money that is his.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recon.simulation.process import Process

__all__ = ["Heard", "looked_into_what_was_missed"]

_GIVEN_UP_S: Final = 1.0
"""What is overtaken by so much has not come in its turn; the service waits for half of it."""
_IDLE_S: Final = 40.0
"""More than enough for a look to begin, also after some that have failed."""
_NEVER: Final = float("inf")
_CHANNELS: Final = {"round_updates", "bet_updates"}


class _Said(msgspec.Struct):
    type: str
    channel: str = ""
    seq: int | None = None


@dataclass(slots=True)
class _Connection:
    """One connection.

    Attributes:
        read: when each number of each channel was.
        first: the number of each channel with which its subscription began.
        complete_s: since when all channels are subscribed to.
        ended_s: when it ended.
    """

    read: dict[str, dict[int, float]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    complete_s: float | None = None
    ended_s: float | None = None

    def missed(self) -> Iterator[tuple[float, str]]:
        """As `Heard.missed`; of one that is not complete nothing is expected."""
        if self.complete_s is None:
            return
        yield self.complete_s, "what was before it listened"
        for channel, first in self.first.items():
            read = self.read.get(channel, {})
            for number in range(first + 1, max(read, default=first)):
                overtaken_s = min(at_s for later, at_s in read.items() if later > number)
                known_s = overtaken_s + _GIVEN_UP_S
                if known_s < min(
                    read.get(number, _NEVER), _NEVER if self.ended_s is None else self.ended_s
                ):
                    yield max(overtaken_s, self.complete_s), f"{number} of {channel}"


class Heard:
    """What one process heard in one life.

    Args:
        process: whose ears these are.
    """

    def __init__(self, process: Process) -> None:
        self.name = process.name
        self.ended_s: float | None = None
        self.looks: list[tuple[float, float | None, bool]] = []
        """From when, until when, and whether into everything."""
        self._loop = asyncio.get_running_loop()
        self._connections: list[_Connection] = []
        process.at_death(self._end)

    def connect(self) -> None:
        """A connection has come about."""
        self._connections.append(_Connection())

    def disconnect(self) -> None:
        """It is no more."""
        if self._connections:
            self._connections[-1].ended_s = self._loop.time()

    def read(self, raw: bytes) -> None:
        """A message was read."""
        said = msgspec.json.decode(raw, type=_Said)
        if said.seq is None:
            return
        connection, at_s = self._connections[-1], self._loop.time()
        if said.type == "subscribed":
            connection.first[said.channel] = said.seq
            if connection.first.keys() == _CHANNELS:
                connection.complete_s = at_s
        else:
            connection.read.setdefault(said.channel, {}).setdefault(said.seq, at_s)

    @contextmanager
    def looking(self, *, everything: bool) -> Iterator[None]:
        """While what was told is looked into."""
        place = len(self.looks)
        self.looks.append((self._loop.time(), None, everything))
        try:
            yield
        finally:
            self.looks[place] = (self.looks[place][0], self._loop.time(), everything)

    def missed(self) -> Iterator[tuple[float, str]]:
        """When it could know that it has not heard all, and what it has not heard."""
        for connection in self._connections:
            yield from connection.missed()

    def idle_s(self, since_s: float) -> float:
        """For how long it looked into nothing, from an instant until it looked into everything."""
        end_s = _NEVER if self.ended_s is None else self.ended_s
        began = [begun_s for begun_s, _, everything in self.looks if everything]
        until_s = min((at_s for at_s in began if at_s >= since_s), default=end_s)
        busy_s = sum(
            max(0.0, min(until_s, until_s if to_s is None else to_s) - max(since_s, from_s))
            for from_s, to_s, _ in self.looks
        )
        return until_s - since_s - busy_s

    def _end(self) -> None:
        self.ended_s = self._loop.time()
        self.disconnect()


def looked_into_what_was_missed(heard: Sequence[Heard]) -> Iterator[str]:
    """Whoever could not hear all looks into everything soon, as long as they live."""
    for one in heard:
        for at_s, what in one.missed():
            if one.idle_s(at_s) > _IDLE_S:
                yield f"{one.name} never heard {what} and did not look into it after {at_s:.3f} s"
