"""How a process ends: what is under way is answered, and every line that it says is JSON."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from yarl import URL

from recon.db.embedded.child import die_with_parent
from tests.journeys.conftest import SECRET, deposited, signed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

_PATIENCE_S = 60
_BANK = {
    "RECON_PSP__BANK__PROVIDER": "standard-webhooks",
    "RECON_PSP__BANK__SECRETS": json.dumps([SECRET]),
}


@dataclass
class Running:
    """A process of ours, and what it has said on stderr so far, each line read as JSON."""

    child: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list)

    async def says(self, event: str) -> dict[str, Any]:
        """The first line of an event, once there is one."""
        assert self.child.stderr is not None
        async with asyncio.timeout(_PATIENCE_S):
            while not (found := [one for one in self.lines if one["event"] == event]):
                line = await self.child.stderr.readline()
                assert line, f"it ended without {event}: {self.lines}"
                self.lines.append(json.loads(line))
        return found[0]

    async def ended(self) -> int:
        """Its exit code, once every line was read."""
        assert self.child.stderr is not None
        async with asyncio.timeout(_PATIENCE_S):
            async for line in self.child.stderr:
                self.lines.append(json.loads(line))
            return await self.child.wait()

    @property
    def events(self) -> list[str]:
        """What it said, in its order."""
        return [one["event"] for one in self.lines]


@asynccontextmanager
async def running(
    database_url: str, home: Path, *arguments: str, **variables: str
) -> AsyncIterator[Running]:
    """A process, which is gone at the end."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "recon", *arguments),
        cwd=home,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "RECON_DATABASE_URL": database_url}
        | variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent(),
    )
    try:
        yield Running(child)
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


async def test_a_single_service_ends_by_sighup_as_by_sigterm_and_answers_first(
    database_url: str, tmp_path: Path
) -> None:
    variables = {**_BANK, "RECON_COLOUR": "red", "PYTHONASYNCIODEBUG": "1"}
    async with running(database_url, tmp_path, "serve", "--port", "0", **variables) as service:
        url = URL((await service.says("ready"))["url"])
        body = deposited("p1", "u_7", "20.00")
        head = "POST /webhooks/bank HTTP/1.1\r\nHost: recon\r\n" + "".join(
            f"{name}: {value}\r\n"
            for name, value in {**signed("evt_1", body), "Content-Length": len(body)}.items()
        )
        reader, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(head.encode() + b"\r\n" + body[:-1])
        service.child.send_signal(signal.SIGHUP)
        draining = await service.says("draining")
        writer.write(body[-1:])
        answer = await asyncio.wait_for(reader.read(), _PATIENCE_S)
        writer.close()

        assert await service.ended() == 0
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nConnection: close\r\n" in answer
    assert draining["signal"] == "SIGHUP"
    assert service.events[0] == "no_setting"  # what people are told in words
    assert service.events[-1] == "stopped"
    assert "calls_cut" not in service.events


async def test_what_takes_longer_than_it_may_is_cut_and_said(
    database_url: str, tmp_path: Path
) -> None:
    variables = {**_BANK, "RECON_DRAIN_TIMEOUT": "1s"}
    serve = ("serve", "--port", "0", "--no-jobs")
    async with running(database_url, tmp_path, *serve, **variables) as service:
        url = URL((await service.says("ready"))["url"])
        _, writer = await asyncio.open_connection(url.host, url.port)
        writer.write(
            b"POST /webhooks/bank HTTP/1.1\r\nHost: recon\r\nX-Request-Id: half\r\n"
            b"Content-Length: 100\r\n\r\n{"
        )
        service.child.send_signal(signal.SIGTERM)

        assert await service.ended() == 0
        writer.close()
    (cut,) = [one for one in service.lines if one["event"] == "calls_cut"]
    assert (cut["calls"], cut["after_s"]) == (1, 1.0)
    assert cut["cut"] == [{"request_id": "half", "method": "POST", "route": "/webhooks/{endpoint}"}]


async def test_a_worker_ends_by_sighup_as_by_sigterm(database_url: str, tmp_path: Path) -> None:
    async with running(database_url, tmp_path, "worker", "--port", "0") as worker:
        assert (await worker.says("ready"))["url"].startswith("http://127.0.0.1:")
        worker.child.send_signal(signal.SIGHUP)

        assert await worker.ended() == 0
    assert [one["signal"] for one in worker.lines if one["event"] == "draining"] == ["SIGHUP"]
    assert worker.events[-1] == "stopped"
