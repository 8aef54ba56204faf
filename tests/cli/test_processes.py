"""Several processes behind one port: none of them is missed, and no connection is lost with one.

What serves here is a few lines of Python, which start at once; the service itself is served so in
tests/violence/test_several_processes.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import click
import pytest
from structlog.testing import capture_logs

from recon.cli.processes import Places

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# Says its process id to whoever connects; takes from another's socket what waits there; ends when
# told to, and lingers while there is a file that says so. As Listener does it, without its imports.
_SERVES = """
import json, os, select, signal, socket, sys, time
broken, lingers, ends_within_s = sys.argv[1:]
if os.path.exists(broken):
    time.sleep(float(open(broken).read() or 0))
    sys.exit(1)
sockets = [socket.socket(fileno=int(n)) for n in os.environ["_RECON_LISTENING_SOCKETS"].split()]
sockets[0].listen(16)
poll = select.poll()
for one in sockets:
    one.setblocking(False)
    poll.register(one, select.POLLIN)
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(1))
signal.signal(signal.SIGUSR1, lambda *_: told.append(1))
print(json.dumps({"url": "", "ends_within_s": float(ends_within_s)}), flush=True)
before = set()
while not told:
    ready = {n for n, event in poll.poll(20) if event & select.POLLIN}
    for one in sockets:
        if one.fileno() in (ready if one is sockets[0] else ready & before):
            try:
                taken, _ = one.accept()
            except BlockingIOError:
                continue
            taken.sendall(str(os.getpid()).encode())
            taken.close()
    before = ready
    time.sleep(0.001)
for one in sockets:
    one.close()
while os.path.exists(lingers):
    time.sleep(0.01)
"""


@dataclass
class Served:
    """What is running.

    Attributes:
        broken: while this file is there, none that starts serves; it ends after the seconds in it.
        lingers: while this file is there, none that is told to end does.
        program: what is started.
    """

    broken: Path
    lingers: Path
    program: Path
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    renew: asyncio.Event = field(default_factory=asyncio.Event)
    port: int = 0

    async def ask(self) -> int:
        """The process that a new connection gets to."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            async with asyncio.timeout(60):
                return int(await reader.read())
        finally:
            writer.close()

    async def refuses(self) -> bool:
        """Whether nobody lets anybody in; what had come in before that is reset."""
        try:
            await self.ask()
        except ConnectionRefusedError:
            return True
        except (ConnectionResetError, ValueError):
            pass
        return False

    async def until(self, count: int, other_than: set[int] = frozenset()) -> set[int]:  # type: ignore[assignment]
        """Wait until so many processes answer, none of them one of these."""
        async with asyncio.timeout(60):
            while True:
                found = {await self.ask() for _ in range(40)}
                if len(found) == count and not found & other_than:
                    return found


@asynccontextmanager
async def serving(tmp_path: Path, *, ends_within_s: float = 30) -> AsyncIterator[Served]:
    """Two of them, behind one port."""
    served = Served(tmp_path / "broken", tmp_path / "lingers", tmp_path / "python")
    served.program.symlink_to(sys.executable)
    ready = asyncio.Event()

    def note(port: int) -> None:
        served.port = port
        ready.set()

    # Neither site packages nor the environment: they would be most of a start.
    said = (str(served.broken), str(served.lingers), str(ends_within_s))
    command = (str(served.program), "-S", "-E", "-c", _SERVES, *said)
    places = Places("127.0.0.1", 0, 2, command)
    running = asyncio.create_task(places.run({}, stop=served.stop, renew=served.renew, ready=note))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    try:
        if ready.is_set():
            yield served
    finally:
        served.lingers.unlink(missing_ok=True)
        served.stop.set()
        await running


async def gone(pid: int) -> None:
    """Wait until a process is; with it goes the connection that it had taken."""
    with suppress(ProcessLookupError):
        async with asyncio.timeout(60):
            while True:
                os.kill(pid, 0)
                await asyncio.sleep(0.001)


async def test_one_that_is_killed_is_followed_by_another(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        before = await served.until(2)
        killed = min(before)
        os.kill(killed, signal.SIGKILL)
        await gone(killed)

        # Half of these wait for a process that is not there yet: none of them is refused.
        assert len([await served.ask() for _ in range(20)]) == 20
        after = await served.until(2, {killed})
        assert after > before - {killed}


async def test_all_are_replaced_and_nobody_is_refused_meanwhile(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        before = await served.until(2)
        served.renew.set()

        assert not before & await served.until(2, before)


async def test_successors_that_do_not_start_replace_nobody(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        before = await served.until(2)
        served.broken.touch()
        served.renew.set()
        # Tried before the next is: it has begun, and ended.
        async with asyncio.timeout(60):
            while served.renew.is_set():  # noqa: ASYNC110 - another task's
                await asyncio.sleep(0.01)

        assert await served.until(2) == before
        served.broken.unlink()
        served.renew.set()
        assert not before & await served.until(2, before)


async def test_what_waits_for_one_that_cannot_be_started_again_is_taken_by_a_sibling(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as served:
        before = await served.until(2)
        served.broken.touch()
        os.kill(min(before), signal.SIGKILL)
        await gone(min(before))

        # Half of these are given to the one that is gone: nobody is refused, reset or kept waiting.
        assert {await served.ask() for _ in range(20)} == {max(before)}


async def test_where_nobody_serves_any_more_callers_are_refused_and_not_kept_waiting(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path) as served:
        before = await served.until(2)
        served.broken.touch()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(60):
            while not await served.refuses():
                pass

        served.broken.unlink()
        async with asyncio.timeout(60):
            while True:
                with suppress(ConnectionRefusedError):
                    assert not before & await served.until(2)
                    break
                await asyncio.sleep(0.05)


async def test_where_no_process_can_be_started_those_that_live_go_on(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        before = await served.until(2)
        served.program.unlink()  # as where the system has no more processes: an OSError
        os.kill(min(before), signal.SIGKILL)
        await gone(min(before))
        served.renew.set()
        with capture_logs() as logged:
            async with asyncio.timeout(60):
                # A program that is there again before this was tried would replace them all.
                while "not_replaced" not in {line["event"] for line in logged}:
                    assert await served.ask() == max(before)

        assert {await served.ask() for _ in range(20)} == {max(before)}
        served.program.symlink_to(sys.executable)
        assert await served.until(2, {min(before)}) > {max(before)}


async def test_a_start_that_hangs_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path) as served:
        before = await served.until(2)
        served.broken.write_text("3600")
        with monkeypatch.context() as impatient:
            impatient.setattr("recon.cli.processes._STARTS_WITHIN_S", 0.3)
            served.renew.set()
            with capture_logs() as logged:
                async with asyncio.timeout(60):
                    while "not_replaced" not in {line["event"] for line in logged}:
                        assert await served.ask() in before

        served.broken.unlink()
        served.renew.set()
        assert not before & await served.until(2, before)


async def test_a_successor_that_dies_is_followed_while_its_former_still_finishes(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, ends_within_s=300) as served:
        before = await served.until(2)
        served.lingers.touch()
        served.renew.set()
        async with asyncio.timeout(60):
            while not (new := {await served.ask() for _ in range(20)} - before):
                pass
        (successor,) = new
        os.kill(successor, signal.SIGKILL)
        await gone(successor)

        async with asyncio.timeout(60):
            while not {await served.ask() for _ in range(20)} - before - {successor}:
                pass
        for pid in before:
            os.kill(pid, 0)  # both are there: one serves, one has not finished


async def test_one_that_does_not_end_in_the_time_that_it_has_said_is_killed(
    tmp_path: Path,
) -> None:
    async with serving(tmp_path, ends_within_s=0.1) as served:
        before = await served.until(2)
        served.lingers.touch()
        served.renew.set()

        assert not before & await served.until(2, before)
        for pid in before:
            await gone(pid)


async def test_none_that_starts_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken").touch()

    with pytest.raises(click.ClickException, match="did not start"):
        async with serving(tmp_path):
            pass
