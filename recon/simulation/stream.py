"""The game's stream to a process: the real talk of both sides, over a link that breaks and delays.

What is simulated is the socket alone. Frames arrive late and out of their order, the connection
breaks with or without a word; what the game itself loses, doubles and swaps, its own hub does.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

import aiohttp

from recon.game.stream.connecting import SessionEndedError
from recon.sandbox.stream_session import converse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from contextvars import Context

    from aiohttp import web

    from recon.game.stream import Patience, StreamAddress
    from recon.game.stream.connecting import Socket
    from recon.simulation.game import Game
    from recon.simulation.heard import Heard
    from recon.simulation.process import Process

__all__ = ["SimulatedStream"]

_LATEST_S: Final = 20.0
_ABNORMAL: Final = 1006
_GONE: Final = aiohttp.WSMessage(aiohttp.WSMsgType.CLOSED, None, None)


class SimulatedStream:
    """A process's way to the stream, one connection after the other.

    Args:
        process: whose it is; its death cuts the connection.
        game: the other side.
        context: in which the game talks: no process's.
        heard: notes what is read.
    """

    def __init__(self, process: Process, game: Game, context: Context, heard: Heard) -> None:
        self._process = process
        self._game = game
        self._context = context
        self._heard = heard
        self._link: _Link | None = None
        process.at_death(self._cut)

    @asynccontextmanager
    async def connect(
        self, _: StreamAddress, __: Patience, ___: Callable[[Mapping[str, str]], None]
    ) -> AsyncIterator[Socket]:
        """A connection; errors as `recon.game.stream.connecting.connected` has them."""
        process, loop = self._process, asyncio.get_running_loop()
        await process.wait(0.004, 0.2)
        if self._game.is_down(loop.time()) or process.dice.random() < process.weather().refused:
            process.trace.note("stream_refused", process.name, "")
            raise SessionEndedError("unreachable", "connection refused")
        link = self._link = _Link(process, self._game, self._context, self._heard)
        process.trace.note("stream_opened", process.name, "")
        self._context.run(link.serve)
        try:
            yield cast("Socket", link.ours)
        finally:
            link.cut()

    def _cut(self) -> None:
        if self._link is not None:
            self._link.cut()


@dataclass(slots=True)
class _End:
    """One end of a link, as much of aiohttp's sockets as the two sides use.

    Attributes:
        link: whose it is.
        arrived: what has come and is not read.
        close_code: why it was closed, once it is.
    """

    link: _Link
    arrived: asyncio.Queue[aiohttp.WSMessage]
    close_code: int | None = None

    async def receive(self) -> aiohttp.WSMessage:
        """The next message, ``CLOSED`` at the end."""
        message = await self.arrived.get()
        await self.link.read_by(self, message)
        return message

    def __aiter__(self) -> _End:
        return self

    async def __anext__(self) -> aiohttp.WSMessage:
        message = await self.receive()
        if message.type is aiohttp.WSMsgType.CLOSED:
            raise StopAsyncIteration
        return message

    async def send_frame(self, data: bytes, kind: aiohttp.WSMsgType) -> None:
        """Send a frame; one to nobody is lost."""
        self.link.carry(self, aiohttp.WSMessage(kind, data, None))

    async def send_str(self, text: str) -> None:
        """Send a text."""
        await self.send_frame(text.encode(), aiohttp.WSMsgType.TEXT)

    async def close(self, *, code: int = 1000, message: bytes = b"", drain: bool = True) -> None:
        """End the connection, and tell the other side why."""
        del message, drain
        self.link.end(self, code)


class _Link:
    """A connection between a process and the game."""

    def __init__(self, process: Process, game: Game, context: Context, heard: Heard) -> None:
        self._process = process
        self._game = game
        self._context = context
        self._heard = heard
        self._heard.connect()
        self._epoch = game.epoch
        self._loop = asyncio.get_running_loop()
        self._last_s = {True: 0.0, False: 0.0}
        self._cut = False
        self._serving: asyncio.Task[None] | None = None
        self.ours = _End(self, asyncio.Queue())
        self._theirs = _End(self, asyncio.Queue())

    def serve(self) -> None:
        """Have the game talk."""
        socket = cast("web.WebSocketResponse", self._theirs)
        self._serving = self._loop.create_task(converse(self._game.sandbox, socket))

    async def read_by(self, end: _End, message: aiohttp.WSMessage) -> None:
        """Reading takes a process its time; the game has as much of it as it wants."""
        if end is self.ours:
            await self._process.wait(0.0, 0.001)
            if message.type is aiohttp.WSMsgType.TEXT:
                self._heard.read(message.data)

    def carry(self, sender: _End, message: aiohttp.WSMessage) -> None:
        """Take a frame to the other end, as a rule behind those that were sent before it."""
        dice, weather, at_s = self._process.dice, self._process.weather(), self._loop.time()
        to_us = sender is self._theirs
        if not self._cut and dice.random() < weather.stream_cut:
            self._process.trace.note("stream_cut", self._process.name, "")
            # The other side is not always told: it has to notice by the silence.
            self.cut(tell=dice.random() < 0.5)  # noqa: PLR2004 - a coin
        if self._cut:
            return
        arrives_s = max(at_s + dice.uniform(0.002, 0.1), self._last_s[to_us])
        if to_us and dice.random() < weather.stream_late:
            self._process.trace.note("stream_late", self._process.name, "")
            arrives_s = at_s + dice.uniform(0.1, _LATEST_S)
        else:
            self._last_s[to_us] = arrives_s
        receiver = self.ours if to_us else self._theirs
        self._loop.call_at(arrives_s, self._arrive, receiver, message, context=self._context)

    def end(self, who: _End, code: int) -> None:
        """Close the connection as either side may."""
        other = self.ours if who is self._theirs else self._theirs
        other.close_code = code
        self.cut()

    def cut(self, *, tell: bool = True) -> None:
        """Nothing is carried from here on."""
        if self._cut:
            return
        self._cut = True
        self._heard.disconnect()
        for end in (self.ours, self._theirs):
            end.close_code = end.close_code or _ABNORMAL
            if tell or end is self._theirs:
                end.arrived.put_nowait(_GONE)

    def _arrive(self, receiver: _End, message: aiohttp.WSMessage) -> None:
        if self._game.epoch != self._epoch:
            self.cut()
        if not self._cut:
            receiver.arrived.put_nowait(message)
