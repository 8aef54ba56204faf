from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.db.embedded.home import keep_number, kept_numbers, query
from tests.db.embedded.processes import (
    appeared,
    family,
    gone,
    kill,
    owner,
    processes_naming,
    supervisor_of,
    title,
)

if TYPE_CHECKING:
    from tests.db.embedded.home import Home


async def test_a_killed_command_leaves_no_process_behind(home: Home) -> None:
    with home.holder() as holder:
        holder.ready().kill()
        await home.empty()


async def test_a_command_killed_while_it_starts_leaves_no_process_behind(home: Home) -> None:
    with home.holder() as holder:
        await appeared(home.path, ".recon/*/data.new*")
        started = processes_naming(home.path)
        assert started > {holder.process.pid}
        holder.kill()
    await gone(started)
    await gone(processes_naming(home.path))
    async with home.server() as server:
        assert await query(server.dsn, "SELECT 1") == 1


async def test_a_supervisor_killed_while_it_makes_the_database_leaves_no_half(home: Home) -> None:
    with home.holder() as holder:
        await appeared(home.path, ".recon/*/data.new*/base")
        kill(*processes_naming(home.path) - {holder.process.pid})
        assert holder.ready().answer["code"] == "postgres_failed"
    async with home.server() as server:
        assert await query(server.dsn, "SELECT 1") == 1
    assert not list(home.path.glob(".recon/*/data.new*"))


async def test_a_server_that_crashes_is_started_again_for_its_users(home: Home) -> None:
    with home.holder() as holder:
        await keep_number(holder.ready().dsn, 7)
        kill(holder.pid)

        assert await _kept_numbers_soon(holder.dsn) == [7]
        async with home.server() as server:
            assert server.pid not in {None, holder.pid}
            home.seen |= family(server.pid)
        holder.leave()
        await home.empty()


async def test_a_killed_supervisor_takes_the_server_with_it(home: Home) -> None:
    with home.holder() as holder:
        await keep_number(holder.ready().dsn, 7)
        kill(supervisor_of(holder.pid))
        await home.empty()
        async with home.server() as server:
            assert await kept_numbers(server.dsn) == [7]
            home.seen |= family(server.pid)
    await home.empty()


async def test_what_a_power_cut_leaves_is_cleared_away(home: Home) -> None:
    with home.holder() as holder:
        await keep_number(holder.ready().dsn, 7)
        data = Path(await query(holder.dsn, "SHOW data_directory"))
        kill(*home.seen, holder.process.pid)
        await home.empty()
    # As after a boot: the number in the pid files is now a program's of the very same user.
    bystander = subprocess.Popen(["/bin/sleep", "60"], **owner(data))  # noqa: ASYNC220 - no wait
    try:
        for pid_file in (data / "postmaster.pid", next(data.parent.glob("run/*.lock"))):
            lines = pid_file.read_text().splitlines()
            pid_file.write_text("\n".join([str(bystander.pid), *lines[1:], ""]))

        async with home.server() as server:
            assert await kept_numbers(server.dsn) == [7]
        assert bystander.poll() is None, "it has nothing to do with us"
    finally:
        bystander.kill()
        await asyncio.to_thread(bystander.wait)


async def test_a_server_without_its_supervisor_is_ended_by_the_next_start(home: Home) -> None:
    async with home.server() as server:
        command, its_owner = title(server.pid), owner(f"/proc/{server.pid}")
        await keep_number(server.dsn, 7)
        dsn = server.dsn
    orphan = subprocess.Popen(  # noqa: S603, ASYNC220 - the command that the server ran with
        command, stderr=subprocess.DEVNULL, cwd="/", **its_owner
    )
    try:
        assert await _kept_numbers_soon(dsn) == [7]
        async with home.server() as server:
            assert server.pid != orphan.pid
            assert await kept_numbers(server.dsn) == [7]
        assert await asyncio.to_thread(orphan.wait, 60) == 0, "shut down, not killed"
    finally:
        orphan.kill()


async def _kept_numbers_soon(dsn: str) -> Any:  # noqa: ANN401 - a list of numbers
    for _ in range(1200):
        try:
            return await kept_numbers(dsn)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.05)
    return pytest.fail("no server within a minute")
