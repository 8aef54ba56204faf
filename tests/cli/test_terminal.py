"""A terminal that is closed ends what was begun in it; `kill -HUP` of whoever runs it does not."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import shlex
import signal
import sys
import termios
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import pytest
from yarl import URL

from recon.db.embedded.child import die_with_parent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

_PATIENCE_S = 60

# Says which process it is, then what each SIGHUP meant; ends when its terminal has.
_HEARS = """
import asyncio, os, sys
from recon.cli.terminal import hear_hang_ups

async def main(said):
    ended = asyncio.Event()
    def tell(what):
        print(what, file=said, flush=True)
    def hung_up():
        tell("hung up")
        ended.set()
    hear_hang_ups(hung_up=hung_up, asked=lambda: tell("asked"))
    tell(os.getpid())
    await ended.wait()

asyncio.run(main(open(sys.argv[1], "w")))
"""


@dataclass
class Terminal:
    """A terminal with a process that leads its session.

    Attributes:
        child: the leader.
    """

    child: asyncio.subprocess.Process
    _master: int

    def type(self, line: str) -> None:
        """As somebody would who sits before it."""
        os.write(self._master, line.encode() + b"\n")

    def close(self) -> None:
        """As who closes its window."""
        if self._master >= 0:
            asyncio.get_running_loop().remove_reader(self._master)
            os.close(self._master)
            self._master = -1

    async def ended(self) -> int:
        """The leader's exit code."""
        async with asyncio.timeout(_PATIENCE_S):
            return await self.child.wait()


@asynccontextmanager
async def terminal(
    home: Path, *command: str, before: Callable[[], object] | None = None, **variables: str
) -> AsyncIterator[Terminal]:
    """A process before a terminal of its own; its stdout is a pipe, for what a program reads."""
    master, slave = pty.openpty()
    dies = die_with_parent()

    def begin() -> None:
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        if before is not None:
            before()
        dies()

    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "PS1": "", **variables},
        stdin=slave,
        stdout=asyncio.subprocess.PIPE,
        stderr=slave,
        start_new_session=True,
        preexec_fn=begin,
    )
    os.close(slave)
    # What it shows must be taken: a terminal that is full holds up who writes.
    asyncio.get_running_loop().add_reader(master, lambda: _shown(master))
    made = Terminal(child, master)
    try:
        yield made
    finally:
        made.close()
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def _shown(master: int) -> None:
    with suppress(OSError):  # nobody has it open any more
        os.read(master, 65536)


@dataclass
class Hearer:
    """What hears SIGHUP, and says of each what it meant."""

    path: Path

    @property
    def command(self) -> tuple[str, ...]:
        """What starts it."""
        return (sys.executable, "-c", _HEARS, str(self.path))

    async def says(self, count: int) -> list[str]:
        """The first lines that it says, once there are so many."""
        async with asyncio.timeout(_PATIENCE_S):
            while True:
                lines = self.path.read_text().splitlines() if self.path.exists() else []
                if len(lines) >= count:
                    return lines
                await asyncio.sleep(0.01)

    async def pid(self) -> int:
        """Which process it is, once it hears."""
        return int((await self.says(1))[0])


@pytest.fixture
def hearer(tmp_path: Path) -> Hearer:
    return Hearer(tmp_path / "said")


async def test_kill_hup_asks_and_the_end_of_the_terminal_is_a_hang_up(
    hearer: Hearer, tmp_path: Path
) -> None:
    async with terminal(tmp_path, *hearer.command) as window:
        os.kill(await hearer.pid(), signal.SIGHUP)
        assert (await hearer.says(2))[1:] == ["asked"]
        window.close()

        assert await window.ended() == 0
    assert (await hearer.says(3))[1:] == ["asked", "hung up"]


async def test_where_no_system_tells_by_whom_both_are_heard_as_well(
    hearer: Hearer, tmp_path: Path
) -> None:
    # As on macOS.
    *python, program, said = hearer.command
    command = (*python, f"import signal; del signal.sigwaitinfo{program}", said)
    async with terminal(tmp_path, *command) as window:
        os.kill(await hearer.pid(), signal.SIGHUP)
        assert (await hearer.says(2))[1:] == ["asked"]
        window.close()

        assert await window.ended() == 0
    assert (await hearer.says(3))[1:] == ["asked", "hung up"]


@pytest.mark.parametrize("ampersand", ["", " &"])
async def test_a_shell_passes_the_hang_up_on_to_what_was_begun_in_it(
    hearer: Hearer, tmp_path: Path, ampersand: str
) -> None:
    async with terminal(tmp_path, "bash", "--norc", "-i") as window:
        window.type(shlex.join(hearer.command) + ampersand)
        await hearer.pid()
        window.close()

        # Once or twice: by the shell, and by the kernel as that ends.
        assert {*(await hearer.says(2))[1:]} == {"hung up"}


async def test_what_has_outlived_its_terminal_is_asked_again_by_kill_hup(
    hearer: Hearer, tmp_path: Path
) -> None:
    # A shell that goes without a word to what it has begun, as one does after `disown`.
    async with terminal(tmp_path, "bash", "--norc", "-i") as window:
        window.type(f"{shlex.join(hearer.command)} >log 2>&1 & disown")
        pid = await hearer.pid()
        window.type("exit")
        await window.ended()
        window.close()
        try:
            os.kill(pid, signal.SIGHUP)

            assert (await hearer.says(2))[1:] == ["asked"]
        finally:
            os.kill(pid, signal.SIGKILL)


async def test_under_nohup_the_end_of_the_terminal_ends_nothing(
    hearer: Hearer, tmp_path: Path
) -> None:
    def spare() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    async with terminal(tmp_path, *hearer.command, before=spare) as window:
        pid = await hearer.pid()
        window.close()
        assert (await hearer.says(2))[1:] == ["asked"]
        os.kill(pid, signal.SIGHUP)

        assert (await hearer.says(3))[1:] == ["asked", "asked"]


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_service_ends_with_its_terminal_as_by_sigterm(
    database_url: str, tmp_path: Path, processes: int
) -> None:
    serve = ("serve", "--port", "0", "--no-jobs", "--json", "--processes", str(processes))
    command = (sys.executable, "-m", "recon", *serve)
    async with terminal(
        tmp_path, *command, RECON_DATABASE_URL=database_url, RECON_DRAIN_NOTICE="0s"
    ) as window:
        assert window.child.stdout is not None
        async with asyncio.timeout(_PATIENCE_S):
            url = URL(msgspec.json.decode(await window.child.stdout.readline())["url"])
        window.close()

        # Not 120, of a log that could not be written to its end.
        assert await window.ended() == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(url.host, url.port)
