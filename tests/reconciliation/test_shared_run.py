"""Processes that share a run: one is killed, one sleeps for long, and no wallet counts twice."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from recon.clock import format_time, now
from recon.db.embedded.child import die_with_parent
from recon.reconciliation import Run, RunScope, RunState, cut_run, read_run, start_run
from tests.reconciliation.sweeper import PAGE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from recon.db import Pool

WALLETS = 300
_IN_A_RANGE = 100
_PATIENCE_S = 60


@dataclass
class Shared:
    """A run of 300 wallets in ranges of a hundred, and a game that knows who asks for whom."""

    pool: Pool
    dsn: str
    run_id: UUID
    url: str = ""
    asked: Counter[str] = field(default_factory=Counter)
    askers: Counter[str] = field(default_factory=Counter)
    # The game answers for this player and those behind only once it is set.
    gates: dict[str, asyncio.Event] = field(default_factory=dict)

    async def balance(self, request: web.Request) -> web.Response:
        user = request.headers["X-User-Id"]
        self.asked[user] += 1
        self.askers[request.headers["X-Api-Key"]] += 1
        if user in self.gates:
            await self.gates[user].wait()
        await asyncio.sleep(0.005)
        return web.json_response(
            {
                "user_id": user,
                "currency": "GBP",
                "available": "1.00",
                "held": "0.00",
                "as_of": format_time(now()),
            }
        )

    def hold(self, *users: str) -> None:
        """All four that a process asks for at once, so that it stands still there."""
        gate = asyncio.Event()
        self.gates |= dict.fromkeys(users, gate)

    @asynccontextmanager
    async def process(
        self, key: str, *, touch_every_s: float = 0.2
    ) -> AsyncIterator[asyncio.subprocess.Process]:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "tests.reconciliation.sweeper"),
            *(self.dsn, self.url, str(self.run_id), key, str(touch_every_s)),
            stdout=asyncio.subprocess.PIPE,
            preexec_fn=die_with_parent(),
        )
        try:
            yield child
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()

    async def read(self) -> Run:
        async with self.pool.acquire() as connection:
            return await read_run(connection, self.run_id)

    async def a_minute_passes(self) -> None:
        """Whoever is at a range has not been heard of for so long."""
        await self.pool.execute("UPDATE run_ranges SET claimed_at = claimed_at - interval '1min'")

    async def fences(self) -> list[int]:
        rows = await self.pool.fetch("SELECT fence FROM run_ranges ORDER BY first_user")
        return [row["fence"] for row in rows]


@pytest.fixture
async def shared(
    pool: Pool, owner: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Shared]:
    monkeypatch.setattr("recon.reconciliation.cut._RANGE", _IN_A_RANGE)
    await owner.execute(
        "INSERT INTO wallets (user_id, currency, available, version)"
        " SELECT 'u_' || lpad(n::text, 3, '0'), 'GBP', 100, 1 FROM generate_series(0, $1) AS n",
        WALLETS - 1,
    )
    run_id = await start_run(pool, RunScope.ALL, trigger="test", queued=False)
    await cut_run(pool, run_id, queued=False)
    made = Shared(pool, database_url, run_id)
    app = web.Application()
    app.router.add_get("/api/v1/user/balance", made.balance)
    async with TestServer(app) as server:
        made.url = str(server.make_url("")).rstrip("/")
        yield made
        for gate in made.gates.values():
            gate.set()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        while not true():  # noqa: ASYNC110 - other processes
            await asyncio.sleep(0.01)


async def ended(child: asyncio.subprocess.Process) -> str:
    out, _ = await asyncio.wait_for(child.communicate(), _PATIENCE_S)
    return out.decode().split()[-1]


def everybody() -> list[str]:
    return [f"u_{number:03}" for number in range(WALLETS)]


async def test_two_processes_share_a_run_and_each_wallet_is_asked_for_once(shared: Shared) -> None:
    # The one that comes first is held up until the other is at work as well.
    shared.hold("u_000")
    async with shared.process("ck_sandbox_a") as first, shared.process("ck_sandbox_b") as second:
        await until(lambda: len(shared.askers) == 2)
        shared.gates["u_000"].set()
        states = [await ended(first), await ended(second)]
    run = await shared.read()

    assert states == ["finished", "finished"]
    assert (run.wallets.total, run.wallets.agreed) == (WALLETS, WALLETS)
    assert shared.asked == Counter(everybody())
    assert sum(shared.askers.values()) == WALLETS
    assert all(fence == 1 for fence in await shared.fences())


async def test_what_a_killed_process_had_done_is_not_done_again(shared: Shared) -> None:
    shared.hold("u_150", "u_151", "u_152", "u_153")
    async with shared.process("ck_sandbox_a") as killed:
        await until(lambda: shared.asked["u_153"] == 1)
        killed.send_signal(signal.SIGKILL)
        await killed.wait()
    await shared.a_minute_passes()
    before = (await shared.read()).wallets.agreed
    shared.gates["u_150"].set()
    async with shared.process("ck_sandbox_b") as other:
        state = await ended(other)
    run = await shared.read()

    assert state == RunState.FINISHED
    assert before > _IN_A_RANGE, "it was in the second range"
    assert (run.wallets.total, run.wallets.compared, run.wallets.agreed) == (WALLETS,) * 3
    assert set(shared.asked) == set(everybody())
    again = [user for user, times in shared.asked.items() if times > 1]
    # No more than the page that it was at, which begins after the cursor.
    assert 0 < len(again) <= PAGE
    assert min(again) >= f"u_{before:03}"


async def test_a_process_that_slept_while_its_range_was_taken_over_writes_nothing(
    shared: Shared,
) -> None:
    shared.hold("u_150", "u_151", "u_152", "u_153")
    shared.hold("u_299")
    # It does not ask whether the range is still its own before it has finished the page.
    async with shared.process("ck_sandbox_a", touch_every_s=60) as sleeper:
        await until(lambda: shared.asked["u_153"] == 1)
        sleeper.send_signal(signal.SIGSTOP)
        await shared.a_minute_passes()
        shared.gates["u_150"].set()
        async with shared.process("ck_sandbox_b") as other:
            await until(lambda: shared.asked["u_299"] == 1)
            nearly = (await shared.read()).wallets.agreed
            # It wakes, finishes the page that it was at, and finds that it is another's by now.
            sleeper.send_signal(signal.SIGCONT)
            # The four that it had asked for may have run out while it slept, and be asked for anew.
            rest = [f"u_{number}" for number in range(154, 160)]
            await until(lambda: min(shared.asked[user] for user in rest) == 2)
            await asyncio.sleep(0.5)
            meanwhile = (await shared.read()).wallets.agreed
            shared.gates["u_299"].set()
            states = [await ended(other), await ended(sleeper)]
    run = await shared.read()

    assert states == ["finished", "finished"]
    assert nearly == meanwhile == WALLETS - PAGE
    assert (run.wallets.total, run.wallets.compared, run.wallets.agreed) == (WALLETS,) * 3
    assert await shared.fences() == [1, 2, 1]
