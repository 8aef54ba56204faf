from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from recon.db.embedded import (
    SERVICE_USER,
    embedded_postgres,
    embedded_postgres_sync,
    start_embedded,
)
from tests.db.embedded.home import FAST, keep_number, kept_numbers, query
from tests.db.embedded.processes import family, gone, kill, living, processes_naming

if TYPE_CHECKING:
    from tests.db.embedded.home import Home, Running


async def test_data_survives_a_restart(home: Home) -> None:
    async with home.server() as server:
        await keep_number(server.dsn, 7)
        first, processes = server.pid, family(server.pid)
    assert not processes & living(), "nothing runs once stop returned"

    async with home.server() as server:
        assert server.pid != first
        assert await kept_numbers(server.dsn) == [7]


async def test_it_is_what_the_service_expects(running: Running) -> None:
    server = running.server
    settings = {
        name: await query(server.dsn, f"SHOW {name}")
        for name in ("server_encoding", "data_checksums", "timezone", "max_connections")
    }
    assert settings == {
        "server_encoding": "UTF8",
        "data_checksums": "on",
        "timezone": "UTC",
        "max_connections": "37",
    }
    assert await query(server.dsn, "SELECT version()") > "PostgreSQL 18"
    assert await query(server.dsn_for("postgres"), "SELECT current_database()") == "postgres"
    assert await query(server.dsn, "SELECT upper('é') || ('é' < 'z')::text") == "Éfalse"


async def test_it_waits_for_the_disk_unless_told_otherwise(home: Home) -> None:
    async with embedded_postgres(home.data_dir, root_home=home.root_home) as server:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            assert await query(server.dsn, f"SHOW {name}") == "on"


async def test_its_address_serves_sqlalchemy_and_the_programs_too(running: Running) -> None:
    server = running.server
    engine = create_async_engine(server.dsn.replace("postgresql://", "postgresql+asyncpg://"))
    async with engine.connect() as connection:
        assert (await connection.execute(text("SELECT 41 + 1"))).scalar_one() == 42
    await engine.dispose()
    psql = await asyncio.create_subprocess_exec(
        server.bin("psql"), server.dsn, "-Atc", "SELECT 41 + 1", stdout=asyncio.subprocess.PIPE
    )
    assert (await psql.communicate())[0] == b"42\n"


async def test_commands_run_at_once_share_a_server_that_stops_with_the_last(home: Home) -> None:
    with home.holder() as first, home.holder() as second:
        assert first.ready().pid == second.ready().pid
        first.leave()
        assert await query(second.dsn, "SELECT 1") == 1
        second.leave()
        await home.empty()


def test_commands_that_race_to_start_it_start_it_once(home: Home) -> None:
    with contextlib.ExitStack() as stack:
        holders = [stack.enter_context(home.holder()) for _ in range(4)]
        assert len({holder.ready().pid for holder in holders}) == 1


async def test_commands_that_come_while_it_stops_get_a_new_one(home: Home) -> None:
    pids = set()
    for number in range(3):
        with home.holder() as holder:
            await keep_number(holder.ready().dsn, number)
            pids.add(holder.pid)
        # The next comes before the supervisor notices, after, and perhaps while it does.
        if number == 1:
            await home.empty()
        else:
            await asyncio.sleep(0.1 * number)
    async with home.server() as server:
        assert await kept_numbers(server.dsn) == [0, 1, 2]
    assert len(pids) > 1, "some came late enough to need another server"


async def test_a_forked_child_does_not_keep_it_running(home: Home) -> None:
    async with home.server() as server:
        processes = family(server.pid)
        child = _sleeping_fork()
    try:
        assert not processes & living()
    finally:
        kill(child)
        assert await asyncio.to_thread(os.waitpid, child, 0)


async def test_a_start_that_is_cancelled_leaves_no_share_behind(home: Home) -> None:
    for delay_s in (0.0, 0.05, 0.1):
        task = asyncio.create_task(
            start_embedded(home.data_dir, settings=FAST, root_home=home.root_home)
        )
        await asyncio.sleep(delay_s)
        assert task.cancel(), "a start takes longer than this"
        with pytest.raises(asyncio.CancelledError):
            await task
        await gone(processes_naming(home.path))


def test_plain_code_can_use_it_too(home: Home) -> None:
    with (
        embedded_postgres_sync(home.data_dir, settings=FAST, root_home=home.root_home) as server,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.connect(str(server.socket_dir / ".s.PGSQL.5432"))


def _sleeping_fork() -> int:
    child = os.fork()
    if not child:  # pragma: no cover - the child is another process
        time.sleep(30)
        os._exit(0)
    return child


async def test_the_service_has_a_user_of_its_own_also_where_an_older_version_made_the_database(
    home: Home,
) -> None:
    async with home.server() as server:
        await keep_number(server.dsn, 7)
        assert await query(server.service_dsn, "SELECT current_user") == SERVICE_USER
        await query(server.dsn, f"DROP ROLE {SERVICE_USER}")
        (server.data_dir / "postgres" / "service-password").unlink()

    async with home.server() as server:
        assert await kept_numbers(server.dsn) == [7]
        assert await query(server.service_dsn, "SELECT current_user") == SERVICE_USER
        more = "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles"
        assert not await query(server.service_dsn, f"{more} WHERE rolname = current_user")
        kept = server.data_dir / "postgres" / "service-password"
        assert kept.stat().st_mode & 0o077 == 0
