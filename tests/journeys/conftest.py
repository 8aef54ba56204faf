"""The service as its users meet it: real processes, spoken to from outside."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from recon.db.embedded.child import die_with_parent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import asyncpg

    from recon.db.embedded import EmbeddedPostgres

SECRET = "whsec_" + base64.b64encode(b"a webhook secret of 32 bytes....").decode()


@dataclass
class Process:
    """A running ``recon …`` and what it said when it was ready."""

    child: asyncio.subprocess.Process
    ready: dict[str, Any]

    @property
    def url(self) -> str:
        return str(self.ready["url"])

    async def stop(self, number: int = signal.SIGTERM) -> int:
        if self.child.returncode is None:
            self.child.send_signal(number)
        return await asyncio.wait_for(self.child.wait(), 60)


@dataclass
class Recon:
    """Runs commands with one set of settings, in an otherwise empty environment."""

    settings: dict[str, str]
    home: Path
    running: list[Process] = field(default_factory=list)

    async def start(self, *arguments: str, **more: str) -> Process:
        child = await self._spawn(arguments, more)
        assert child.stdout is not None
        line = await asyncio.wait_for(child.stdout.readline(), 120)
        if not line:
            _, said = await child.communicate()
            raise AssertionError(f"recon {' '.join(arguments)} did not start: {said.decode()}")
        process = Process(child, json.loads(line))
        self.running.append(process)
        return process

    async def run(self, *arguments: str, stdin: str = "", **more: str) -> tuple[int, str, str]:
        """Exit code, stdout and stderr of a command."""
        child = await self._spawn(arguments, more)
        out, said = await asyncio.wait_for(child.communicate(stdin.encode()), 120)
        assert child.returncode is not None
        return child.returncode, out.decode(), said.decode()

    async def json(  # a document of any shape
        self, *arguments: str, code: int = 0, **more: str
    ) -> Any:  # noqa: ANN401 - any JSON
        """What a command prints as JSON; it must exit with ``code``."""
        exited, out, said = await self.run(*arguments, "--json", **more)
        assert exited == code, said
        return json.loads(out)

    async def stop_all(self) -> None:
        for process in self.running:
            await process.stop()

    async def _spawn(
        self, arguments: tuple[str, ...], more: dict[str, str]
    ) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "recon", "--log-level", "warning", *arguments),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=self.home,
            preexec_fn=die_with_parent(),
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **self.settings, **more},
        )


@dataclass
class Api:
    """An internal caller with a key."""

    session: aiohttp.ClientSession
    numbers: int = 0

    async def get(self, path: str) -> tuple[int, Any]:
        async with self.session.get(path) as answer:
            return answer.status, await answer.json(content_type=None)

    async def post(self, path: str, body: object, key: str | None = None) -> tuple[int, Any]:
        self.numbers += 1
        headers = {"Idempotency-Key": key or f"key-{time.monotonic_ns()}-{self.numbers}"}
        async with self.session.post(path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def until(self, path: str, field_name: str, *values: str) -> Any:  # noqa: ANN401
        """Ask again until a field has one of some values."""
        for _ in range(600):
            _, body = await self.get(path)
            if body.get(field_name) in values:
                return body
            await asyncio.sleep(0.1)
        raise AssertionError(f"{path}: {field_name} is {body.get(field_name)!r}, not {values}")


def signed(event_id: str, body: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks for a body, signed now."""
    at = str(int(time.time()))
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    mac = hmac.new(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
        "Content-Type": "application/json",
    }


def deposited(payment: str, user: str, amount: str, **data: str) -> bytes:
    """The body of a ``deposit.succeeded``."""
    return json.dumps(
        {
            "type": "deposit.succeeded",
            "timestamp": "2026-11-22T10:00:00Z",
            "data": {
                "payment_id": payment,
                "user_id": user,
                "amount": amount,
                "currency": "GBP",
                **data,
            },
        }
    ).encode()


async def deliver(url: str, event_id: str, body: bytes) -> int:
    """Post a webhook as a PSP would; the answer's status."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/webhooks/bank", data=body, headers=signed(event_id, body)) as answer,
    ):
        return answer.status


@asynccontextmanager
async def calling(recon: Recon, service: Process, *scopes: str) -> AsyncIterator[Api]:
    """A caller with a key of these scopes."""
    wanted = [part for scope in scopes for part in ("--scope", scope)]
    created = await recon.json("keys", "create", "--name", "test", *wanted)
    headers = {"Authorization": f"Bearer {created['key']}"}
    async with aiohttp.ClientSession(service.url, headers=headers) as session:
        yield Api(session)


@asynccontextmanager
async def commands_on(database_url: str, home: Path) -> AsyncIterator[Recon]:
    """Commands on a database, with one PSP account called ``bank``; what they start is stopped."""
    commands = Recon(
        {
            "RECON_DATABASE_URL": database_url,
            "RECON_PSP__BANK__PROVIDER": "standard-webhooks",
            "RECON_PSP__BANK__SECRETS": json.dumps([SECRET]),
            "RECON_GRACE_PERIOD": "1s",
            "RECON_RECONCILE_EVERY": "off",
        },
        home,
    )
    try:
        yield commands
    finally:
        await commands.stop_all()


@pytest.fixture
async def recon(database_url: str, tmp_path: Path) -> AsyncIterator[Recon]:
    """Commands on the test's own database."""
    async with commands_on(database_url, tmp_path) as commands:
        yield commands


@pytest.fixture(scope="module")
async def standing(
    server: EmbeddedPostgres,
    administrator: asyncpg.Connection[Any],
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Recon, Process]]:
    """A service for tests that ask it something and leave it standing, and commands beside it."""
    await administrator.execute(f"CREATE DATABASE standing TEMPLATE {template} STRATEGY file_copy")
    home = tmp_path_factory.mktemp("standing")
    async with commands_on(server.service_dsn_for("standing"), home) as commands:
        yield commands, await commands.start("serve", "--port", "0", "--json")
    await administrator.execute("DROP DATABASE standing WITH (FORCE)")
