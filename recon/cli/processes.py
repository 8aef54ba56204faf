"""Several serving processes behind one port: kept running, and replaced one after the other.

Each has a socket of its own, which the kernel spreads connections over (``SO_REUSEPORT``). The
sockets belong to us, the parent, and all of them are handed down to each: a connection that waits
on one is taken by whoever serves from it next, or by a sibling (`recon.http.listening`), so that
neither a process that dies nor one that is replaced costs a connection or keeps it waiting.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import SubprocessError
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import click
import msgspec
import structlog

from recon.cli.running import Ready
from recon.db.embedded.child import die_with_parent
from recon.http.siblings import siblings_environment

if TYPE_CHECKING:
    from asyncio.subprocess import Process
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["COMMAND", "REPLACED", "Places", "handed_down"]

log = structlog.get_logger(__name__)

COMMAND: Final = (sys.executable, "-m", "recon")
"""Ourselves, for a child."""

REPLACED: Final = signal.SIGUSR1
"""Tells a child that another serves in its stead: it lets nobody in any more, and finishes."""

_SOCKETS: Final = "_RECON_LISTENING_SOCKETS"
_ENDS_WITHIN_S: Final = 30.0
"""For a child that has not said how long it may take."""
_STARTS_WITHIN_S: Final = 120.0
"""A start that hangs holds up nobody for ever: neither a replacement nor another try."""
_STABLE_S: Final = 60.0
_LONGEST_DELAY_S: Final = 15.0


def handed_down() -> list[socket.socket]:
    """The sockets to serve from, our own first; none where nobody has handed any down."""
    numbers = os.environ.pop(_SOCKETS, "")
    sockets = [socket.socket(fileno=int(number)) for number in numbers.split()]
    for one in sockets:
        one.set_inheritable(False)  # a process of ours that outlives us would keep callers waiting
    return sockets


class Places:
    """As many processes as there are places, each with its socket.

    Args:
        host: to listen on.
        port: 0 for any free one.
        count: how many.
        command: what runs in each; it says `Ready` on stdout when it serves.
    """

    def __init__(self, host: str, port: int, count: int, command: Sequence[str]) -> None:
        self.host = host
        self._port = port
        self._count = count
        self._command = command
        self._places: list[_Place] = []

    async def run(
        self,
        environment: Mapping[str, str],
        *,
        stop: asyncio.Event,
        renew: asyncio.Event,
        ready: Callable[[int], None],
    ) -> None:
        """Keep all of them running until told to stop; then let them finish, and return.

        Args:
            environment: of each.
            stop: ends it.
            renew: replaces them one after the other, each once its successor serves.
            ready: told of the port when all of them serve.

        Raises:
            ClickException: one does not start, the first time.
        """
        doors = _Doors(self.host, self._port, self._count)
        # In which they tell each other their numbers; nobody else may enter it.
        with TemporaryDirectory(prefix="recon-") as folder:
            try:
                for number in range(self._count):
                    told = siblings_environment(Path(folder), number, self._count)
                    place = _Place(number, doors, self._command, {**environment, **told})
                    self._places.append(place)
                await asyncio.gather(*(place.fill() for place in self._places))
                ready(doors.port)
                await self._keep(doors, stop, renew)
            finally:
                # Nobody is let in behind those who end.
                doors.close()
                await asyncio.gather(*(place.clear() for place in self._places))

    async def _keep(self, doors: _Doors, stop: asyncio.Event, renew: asyncio.Event) -> None:
        def deserted() -> None:
            if not any(place.is_filled for place in self._places):
                doors.refuse()

        stopping = asyncio.create_task(stop.wait())
        tasks = [asyncio.create_task(place.keep(deserted)) for place in self._places]
        tasks.append(asyncio.create_task(self._renew(renew)))
        try:
            done, _ = await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (stopping, *tasks):
                task.cancel()
            await asyncio.gather(stopping, *tasks, return_exceptions=True)

    async def _renew(self, renew: asyncio.Event) -> None:
        while True:
            await renew.wait()
            renew.clear()
            for place in self._places:
                if not await place.replace():
                    # As with settings that are wrong: the others need not try.
                    log.error("not_replaced")
                    break
            else:
                log.info("replaced", processes=len(self._places))


@dataclass(frozen=True, slots=True)
class _Child:
    """A process that was started."""

    process: Process
    ends_within_s: float = _ENDS_WITHIN_S

    async def end(self, by: signal.Signals = signal.SIGTERM) -> None:
        """Tell it to, and wait until it has."""
        with suppress(ProcessLookupError):
            self.process.send_signal(by)
        try:
            async with asyncio.timeout(self.ends_within_s):
                await self.process.wait()
        except TimeoutError:
            log.error("process_killed", pid=self.process.pid, after_s=self.ends_within_s)  # noqa: TRY400 - no crash
            self.process.kill()
            await self.process.wait()


class _Place:
    """One of the processes, whichever it is at the time."""

    def __init__(
        self, number: int, doors: _Doors, command: Sequence[str], environment: Mapping[str, str]
    ) -> None:
        self._number = number
        self._doors = doors
        self._command = command
        self._environment = environment
        self._child: _Child | None = None
        self._is_starting = False
        self._changing = asyncio.Lock()
        self._replaced = asyncio.Event()
        self._begun: set[_Child] = set()

    @property
    def is_filled(self) -> bool:
        """Whether somebody serves here, or is about to."""
        return self._child is not None or self._is_starting

    async def fill(self) -> None:
        """Start one and wait until it serves."""
        self._child = await self._start()
        if self._child is None:
            raise click.ClickException("a process did not start; all were stopped")

    async def keep(self, deserted: Callable[[], None]) -> None:
        """Start another whenever the one there ends by itself; until cancelled.

        Args:
            deserted: told whenever nobody serves here for a while.
        """
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began, child = loop.time(), self._child
            self._replaced.clear()
            if child is not None:
                await self._ended_or_replaced(child)
            if loop.time() - began > _STABLE_S:
                failures = 0
            async with self._changing:
                if self._child is not child:
                    continue  # it was replaced
                self._child = None
                if child is not None:
                    log.error("process_ended", code=child.process.returncode)
                if failures:
                    # The others serve meanwhile; it may be the database that is gone.
                    deserted()
                    await asyncio.sleep(min(_LONGEST_DELAY_S, 2.0 ** (failures - 1)))
                failures += 1
                self._child = await self._start()

    async def replace(self) -> bool:
        """Start a successor and, once it serves, let the one there finish; False: none serves."""
        async with self._changing:
            successor = await self._start()
            if successor is None:
                return False
            former, self._child = self._child, successor
            self._replaced.set()
        if former is not None:
            await former.end(REPLACED)
        return True

    async def _ended_or_replaced(self, child: _Child) -> None:
        waiting = [
            asyncio.create_task(child.process.wait()),
            asyncio.create_task(self._replaced.wait()),
        ]
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    async def clear(self) -> None:
        """End whatever was started here."""
        await asyncio.gather(*(child.end() for child in self._begun))

    async def _start(self) -> _Child | None:
        """One that serves; ``None`` where it could not be started, or ended before that."""
        self._is_starting = True
        try:
            return await self._spawn()
        except (OSError, RuntimeError, SubprocessError) as error:
            # No process, thread, memory or file is to be had: a while later perhaps.
            log.error("process_not_started", error=repr(error))  # noqa: TRY400 - what is wrong is outside
            return None
        finally:
            self._is_starting = False

    async def _spawn(self) -> _Child | None:
        sockets = self._doors.of(self._number)
        process = await asyncio.create_subprocess_exec(
            *self._command,
            env={**self._environment, _SOCKETS: " ".join(map(str, sockets))},
            pass_fds=sockets,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is ours to pass on
            preexec_fn=die_with_parent(),
        )
        child = _Child(process)
        self._begun = {one for one in self._begun if one.process.returncode is None} | {child}
        line = await _said(process)
        if not line:
            return None
        self._begun.discard(child)
        child = _Child(process, _ends_within_s(line))
        self._begun.add(child)
        return child


async def _said(process: Process) -> bytes:
    """What it says when it serves; nothing where it ended, or was killed, before that."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        async with asyncio.timeout(_STARTS_WITHIN_S):
            return await process.stdout.readline()
    except TimeoutError:
        log.error("process_killed", pid=process.pid, after_s=_STARTS_WITHIN_S)  # noqa: TRY400 - no crash
        process.kill()
        await process.wait()
        return b""


def _ends_within_s(said: bytes) -> float:
    try:
        return msgspec.json.decode(said, type=Ready).ends_within_s or _ENDS_WITHIN_S
    except msgspec.DecodeError:
        return _ENDS_WITHIN_S


class _Doors:
    """The sockets, one for each place, behind one port.

    They do not listen before somebody serves from them, so that nobody is let in in vain.
    """

    def __init__(self, host: str, port: int, count: int) -> None:
        self._host = host
        self._sockets = _bound(host, port, count)
        self.port: int = self._sockets[0].getsockname()[1]

    def of(self, number: int) -> list[int]:
        """The files of a place: its own first, then the others'."""
        numbers = [one.fileno() for one in self._sockets]
        return [numbers[number], *numbers[:number], *numbers[number + 1 :]]

    def refuse(self) -> None:
        """Whoever waits is told that nobody serves; so is who comes, until somebody does."""
        former = self._sockets
        try:
            # The new ones first, so that the port stays ours.
            self._sockets = _bound(self._host, self.port, len(former))
        except OSError as error:
            log.error("still_waiting", error=repr(error))  # noqa: TRY400 - what is wrong is outside
            return
        for one in former:
            one.close()

    def close(self) -> None:
        """Let go of them; who serves from them still does."""
        for one in self._sockets:
            one.close()


def _bound(host: str, port: int, count: int) -> list[socket.socket]:
    """Sockets at one address that do not listen yet."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as opened:
        made = []
        for _ in range(count):
            one = opened.enter_context(socket.socket(family))
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            one.bind((host, port))
            port = one.getsockname()[1]
            made.append(one)
        opened.pop_all()
    return made
