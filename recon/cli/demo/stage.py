"""The stage: a database of the run's own, a sandbox and a service, each a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import asyncpg
import msgspec

from recon.clock import new_id
from recon.db import Pool, open_pool
from recon.db.embedded import SERVICE_USER, EmbeddedPostgres, embedded_postgres
from recon.db.embedded.child import die_with_parent
from recon.db.migrations import migrate
from recon.errors import Unavailable
from recon.http.keys import Scope, create_key
from recon.seals import SealKeys, keys_of_data_dir
from recon.seals.keys import key_file_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["Stage", "raise_stage"]

_AS_IT_COMES: Final[Mapping[str, str]] = MappingProxyType({})
_PREFIX = "demo_"
_READY_S = 120
_STOP_S = 30
_LAST_WORDS = 30
_LONGEST_LINE = 2**22


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs, and how to talk to it.

    Args:
        run: names this run; in references, so that no two runs share a payment.
        service_url: the service's address.
        pool: the service's database.
        seal_keys: what its seals are signed with.
        service: a session with a key of every scope.
        sandbox: a session for the sandbox's control surface.
    """

    run: str
    service_url: str
    pool: Pool
    seal_keys: SealKeys
    service: aiohttp.ClientSession
    sandbox: aiohttp.ClientSession


class StageError(Unavailable):
    """A part of the demo did not start; the message has its last words."""

    code = "demo_failed"


@asynccontextmanager
async def raise_stage(
    data_dir: Path,
    *,
    seed: int,
    grace: timedelta,
    faults: Mapping[str, float],
    sandbox_options: Sequence[str] = (),
    settings: Mapping[str, str] = _AS_IT_COMES,
) -> AsyncIterator[Stage]:
    """Start all of it; at the end, or on an error, nothing is left running.

    Args:
        data_dir: of the embedded Postgres.
        seed: of the sandbox.
        grace: the service's grace period.
        faults: the sandbox's faults by kind.
        sandbox_options: further ones of ``recon sandbox``.
        settings: of the Postgres.
    """
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(embedded_postgres(data_dir, settings=settings))
        keys = keys_of_data_dir(server.data_dir)
        run = new_id().hex[-12:]
        database_url = await _fresh_database(server, run)
        pool = await stack.enter_async_context(open_pool(database_url, max_size=4))
        rates = [part for kind, rate in faults.items() for part in ("--fault", f"{kind}={rate}")]
        sandbox = await stack.enter_async_context(
            _process(
                ["sandbox", "--port", "0", "--seed", str(seed), "--json", *rates, *sandbox_options],
                {},
            )
        )
        environment = {
            **sandbox["settings"],
            "RECON_DATABASE_URL": database_url,
            "RECON_GRACE_PERIOD": f"{grace.total_seconds():g}s",
            "RECON_SEAL_KEYS_FILE": str(key_file_of(server.data_dir)),
            "RECON_RECONCILE_EVERY": "off",
            "RECON_BACKFILL_EVERY": "2s",
            "RECON_BACKFILL_AFTER": "1s",
            "RECON_CONFIG": os.devnull,
        }
        service = await stack.enter_async_context(
            _process(["--log-level", "warning", "serve", "--port", "0", "--json"], environment)
        )
        key = await create_key(pool, name="demo", scopes=list(Scope), lifetime=timedelta(days=1))
        calls = await stack.enter_async_context(
            aiohttp.ClientSession(service["url"], headers={"Authorization": f"Bearer {key.key}"})
        )
        control = await stack.enter_async_context(aiohttp.ClientSession(sandbox["url"]))
        stage = Stage(run, service["url"], pool, keys, calls, control)
        await _connect_psps(stage)
        yield stage


async def _fresh_database(server: EmbeddedPostgres, run: str) -> str:
    """A database of this run's own; those of ended runs are dropped, one in use stays."""
    connection = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        rows = await connection.fetch(
            "SELECT datname FROM pg_database WHERE starts_with(datname, $1)", _PREFIX
        )
        for row in rows:
            with suppress(asyncpg.ObjectInUseError, asyncpg.InvalidCatalogNameError):
                await connection.execute(f'DROP DATABASE "{row["datname"]}"')
        await connection.execute(f'CREATE DATABASE "{_PREFIX}{run}"')
    finally:
        await connection.close()
    await migrate(server.dsn_for(f"{_PREFIX}{run}"), service_role=SERVICE_USER)
    return server.service_dsn_for(f"{_PREFIX}{run}")


async def _connect_psps(stage: Stage) -> None:
    """Tell the PSP simulators where the service listens."""
    async with stage.sandbox.get("/sandbox/psp") as answer:
        answer.raise_for_status()
        endpoints = (await answer.json())["endpoints"]
    for endpoint in endpoints:
        name = endpoint["endpoint"]
        change = {
            "provider": endpoint["provider"],
            "webhook_url": f"{stage.service_url}/webhooks/{name}",
            # What is lost is lost for good; what is merely missed is in the provider's list.
            "list_lost": False,
        }
        async with stage.sandbox.put(f"/sandbox/psp/{name}", json=change) as answer:
            answer.raise_for_status()


@asynccontextmanager
async def _process(
    arguments: list[str], settings: Mapping[str, str]
) -> AsyncIterator[dict[str, Any]]:
    """Run ``recon …`` until the block ends; gives the JSON line that it prints when it is ready."""
    inherited = {name: value for name, value in os.environ.items() if not _is_setting(name)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "recon",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_LONGEST_LINE,
        env={**inherited, **settings},
        # Ctrl-C is ours to pass on, in our order; and should we be killed, it does not stay.
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    if process.stdout is None or process.stderr is None:
        raise RuntimeError("a pipe was asked for")
    words: deque[str] = deque(maxlen=_LAST_WORDS)
    listening = asyncio.create_task(_listen(process.stderr, words))
    try:
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _READY_S)
            ready: dict[str, Any] = msgspec.json.decode(line, type=dict[str, Any])
        except (TimeoutError, msgspec.DecodeError):
            await asyncio.sleep(0.1)
            said = "\n".join(words)
            raise StageError(f"`recon {arguments[0]}` did not start:\n{said}") from None
        yield ready
    finally:
        await _stop(process)
        listening.cancel()


async def _listen(stream: asyncio.StreamReader, words: deque[str]) -> None:
    async for line in stream:
        words.append(line.decode(errors="replace").rstrip())


async def _stop(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _is_setting(name: str) -> bool:
    return name.upper().startswith("RECON_")
