"""Where connections come in: a socket of one's own, and siblings' sockets that nobody looks after.

Processes behind one port have a socket each, which the kernel spreads connections over by their
addresses alone: it gives to one that is dead, or hangs, as many as to any other. So each has all
of the sockets, and takes from another's what has waited there for longer than a living process
lets anybody wait.
"""

from __future__ import annotations

import asyncio
import select
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol, cast

from aiohttp import web

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Iterable, Sequence

__all__ = ["Listener", "nobody_waits"]

_TURNS: Final = 1000
"""Of the loop; a flood that never ends keeps nobody from stopping."""

_QUIET_TURNS: Final = 4
"""A loop takes some turns to make a connection of what it has accepted."""

_LOOK_EVERY_S: Final = 0.1
_AT_ONCE: Final = 64
_WAITING: Final = 1024
"""Connections that the kernel keeps for a process that is busy."""


class _Listening(Protocol):
    def fileno(self) -> int: ...


class Listener:
    """The sockets that a process takes connections from; belongs to one event loop.

    Args:
        runner: whose application answers; set up.
        site: the process's own socket.
        others: the sockets of its siblings, which look after them themselves.
    """

    def __init__(
        self, runner: web.BaseRunner, site: web.BaseSite, others: Sequence[socket.socket] = ()
    ) -> None:
        self._runner = runner
        self._site = site
        self._others = {one.fileno(): one for one in others}
        self._looking: asyncio.Task[None] | None = None
        self._leaves = asyncio.Event()
        for one in others:
            one.settimeout(0)

    @classmethod
    def at(cls, runner: web.BaseRunner, host: str, port: int) -> Listener:
        """Alone at an address; port 0 is any free one."""
        return cls(runner, web.TCPSite(runner, host, port))

    @classmethod
    def of(cls, runner: web.BaseRunner, sockets: Sequence[socket.socket]) -> Listener:
        """On a bound socket, beside siblings on theirs."""
        own, *others = sockets
        return cls(runner, web.SockSite(runner, own, backlog=_WAITING), others)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._runner.addresses[0][1]
        return port

    async def open(self) -> None:
        """Let callers in."""
        await self._site.start()
        if self._others:
            self._looking = asyncio.create_task(self._look())

    async def leave(self) -> None:
        """Let nobody in any more, at once: a successor and the siblings do."""
        await self._look_no_more()
        await self._shut()

    async def close(self) -> None:
        """Let nobody in any more, where perhaps nobody else does: who waits comes in first."""
        await self._look_no_more()
        # aiohttp has no other way to its sockets.
        own = cast("asyncio.Server", self._site._server).sockets  # noqa: SLF001
        await nobody_waits([*own, *self._others.values()], take=self._take)
        await self._shut()

    async def _shut(self) -> None:
        await self._site.stop()
        for one in self._others.values():
            one.close()

    async def _look_no_more(self) -> None:
        self._leaves.set()
        if self._looking is not None:
            await self._looking  # not cut off with a connection in its hands

    async def _look(self) -> None:
        """Take what waits on another's socket at two looks."""
        poll, before = _poll(self._others.values()), frozenset[int]()
        while not self._leaves.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._leaves.wait(), _LOOK_EVERY_S)
            waiting = _readable(poll)
            for number in waiting & before:
                await self._take(number)
            before = waiting

    async def _take(self, number: int) -> None:
        """Let in who waits on another's socket; from our own the loop takes by itself."""
        listening = self._others.get(number)
        if listening is None:
            return
        with suppress(OSError):  # somebody else was quicker, or nobody listens there
            for _ in range(_AT_ONCE):
                connection, _address = listening.accept()
                await self._let_in(connection)

    async def _let_in(self, connection: socket.socket) -> None:
        server = cast("Callable[[], asyncio.Protocol]", self._runner.server)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(server, connection)
        except OSError:  # it has gone away already
            connection.close()


async def nobody_waits(
    listening: Iterable[_Listening], take: Callable[[int], Awaitable[None]] | None = None
) -> None:
    """Return at a moment at which nobody waits to be accepted; close the sockets at once then.

    Closing a listening socket resets the connections that the kernel has let in and the loop has
    not accepted yet, although their callers may have sent all of a call. Those of one turn of a
    busy loop are many; those between this moment and the close are next to none.

    Args:
        listening: sockets that the loop accepts from.
        take: accept from one of them, by its file's number, where the loop does not.
    """
    poll = _poll(listening)
    quiet = 0
    for _ in range(_TURNS):
        waiting = _readable(poll)
        quiet = 0 if waiting else quiet + 1
        if quiet == _QUIET_TURNS:
            return
        if take is not None:
            for number in waiting:
                await take(number)
        await asyncio.sleep(0)


def _poll(sockets: Iterable[_Listening]) -> select.poll:
    poll = select.poll()
    for one in sockets:
        poll.register(one.fileno(), select.POLLIN)
    return poll


def _readable(poll: select.poll) -> frozenset[int]:
    """Who has somebody waiting; a socket that does not listen has nobody, and hangs up."""
    return frozenset(number for number, event in poll.poll(0) if event & select.POLLIN)
