"""Who gets no connection is counted, by why: an operator is to know what to look at."""

from __future__ import annotations

import socket
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import pytest
from prometheus_client import REGISTRY

from recon.db import open_pool

NAME: Final = "recon-test-of-the-pool"
REASONS: Final = ("timeout", "too_many", "not_let_in", "unreachable", "other")


def counted() -> dict[str, float]:
    """How often nobody got a connection of these pools so far."""
    return {
        reason: REGISTRY.get_sample_value(
            "recon_db_pool_failures_total", {"pool": NAME, "reason": reason}
        )
        or 0
        for reason in REASONS
    }


async def nothing_from(dsn: str, *, acquire_timeout_s: float = 30.0) -> dict[str, float]:
    """What is counted of a pool that is asked once and has no connection to give."""
    before = counted()
    async with open_pool(
        dsn, application=NAME, lazy=True, max_size=1, acquire_timeout_s=acquire_timeout_s
    ) as pool:
        with pytest.raises((OSError, TimeoutError, asyncpg.PostgresError)):
            await pool.fetchval("SELECT 1")
    return {reason: now - before[reason] for reason, now in counted().items()}


def only(reason: str) -> dict[str, float]:
    return {one: float(one == reason) for one in REASONS}


async def test_where_nothing_listens_it_is_unreachable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        port = taken.getsockname()[1]

        assert await nothing_from(f"postgresql://recon@127.0.0.1:{port}/recon") == only(
            "unreachable"
        )


async def test_who_listens_and_does_not_answer_is_a_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        dsn = f"postgresql://recon@127.0.0.1:{silent.getsockname()[1]}/recon"

        assert await nothing_from(dsn, acquire_timeout_s=0.2) == only("timeout")


async def test_where_others_have_them_all_it_is_a_timeout(database_url: str) -> None:
    before = counted()
    async with (
        open_pool(database_url, application=NAME, max_size=1, acquire_timeout_s=0.5) as pool,
        pool.acquire() as _taken,
    ):
        with pytest.raises(TimeoutError):
            await pool.fetchval("SELECT 1")
    assert {reason: now - before[reason] for reason, now in counted().items()} == only("timeout")


async def test_whom_postgres_does_not_know_or_has_no_more_for_is_told_apart(
    database_url: str, administrator: asyncpg.Connection[Any]
) -> None:
    parts = urlsplit(database_url)
    name = parts.path.removeprefix("/")
    stranger = parts._replace(netloc=f"stranger:{'x' * 8}@{parts.netloc.rpartition('@')[2]}")
    elsewhere = parts._replace(path="/there_is_none")

    assert await nothing_from(stranger.geturl()) == only("not_let_in")
    assert await nothing_from(elsewhere.geturl()) == only("other")
    await administrator.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')
    try:
        assert await nothing_from(database_url) == only("too_many")
    finally:
        await administrator.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT -1')
