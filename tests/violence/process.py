"""``recon serve`` as the machine's init system runs it: in a process of its own, started again."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from recon.db.embedded.child import die_with_parent
from tests.violence.budget import PATIENCE_S

__all__ = ["Service"]


@dataclass
class Service:
    """The running service; its address changes with each start.

    Attributes:
        settings: its whole environment besides PATH and HOME.
        home: its working directory, where its log goes.
        url: of the running process; that of the last one while it is down.
        starts: how often it was started.
    """

    settings: dict[str, str]
    home: Path
    arguments: tuple[str, ...] = ("serve", "--json", "--port", "0", "--no-jobs")
    url: str = "http://127.0.0.1:9"
    starts: int = 0
    _child: asyncio.subprocess.Process | None = None
    _log: IO[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        assert self._child is not None
        return self._child.pid

    @property
    def is_running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    @property
    def log_file(self) -> Path:
        return self.home / "service.log"

    async def up(self) -> None:
        """Start it where it does not run, again and again until it does (Postgres may be down)."""
        async with asyncio.timeout(PATIENCE_S):
            while not self.is_running and not await self._start():  # noqa: ASYNC110 - a process
                await asyncio.sleep(0.05)

    async def begin(self) -> None:
        """Start what says nothing when it is ready."""
        if self._log is None:
            self._log = self.log_file.open("ab")
        self._child = await self._spawn(self.arguments, self._log)

    async def kill(self) -> None:
        """SIGKILL it and its process group."""
        await self._end(signal.SIGKILL)

    async def terminate(self) -> int:
        """SIGTERM it; its exit code."""
        return await self._end(signal.SIGTERM)

    async def close(self) -> None:
        if self.is_running:
            await self.kill()
        if self._log is not None:
            self._log.close()
            self._log = None

    async def run(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Another command with the same settings: its exit code and the JSON that it printed."""
        child = await self._spawn(arguments)
        out, said = await asyncio.wait_for(child.communicate(), PATIENCE_S)
        assert child.returncode is not None
        assert out, said.decode()
        return child.returncode, json.loads(out)

    def memory_mb(self) -> float:
        """The most memory that the running process ever had."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
        raise AssertionError("the kernel does not tell")

    async def _start(self) -> bool:
        await self.begin()
        assert self._child is not None
        assert self._child.stdout is not None
        line = await self._child.stdout.readline()
        if not line:
            await self._child.wait()
            return False
        self.url = json.loads(line).get("url", self.url)
        self.starts += 1
        return True

    async def _end(self, number: signal.Signals) -> int:
        assert self._child is not None
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, number)
        return await asyncio.wait_for(self._child.wait(), PATIENCE_S)

    async def _spawn(
        self, arguments: tuple[str, ...], log: IO[bytes] | int = asyncio.subprocess.PIPE
    ) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "recon", "--log-level", "warning", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            cwd=self.home,
            start_new_session=True,
            preexec_fn=die_with_parent(),
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **self.settings},
        )
