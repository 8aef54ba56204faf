"""`recon doctor`: what is wrong with a set-up."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import asyncpg
import pytest
from click.testing import CliRunner

import tests.pooler
from recon.cli import recon
from recon.db import pool as pool_module
from recon.db.embedded import SERVICE_USER
from recon.db.migrations import downgrade
from recon.sandbox.timeline import WallClock
from tests.game.stream.conftest import open_game

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from recon.db import Pool


async def test_a_database_that_forgets_in_a_power_cut_is_a_fault(database_url: str) -> None:
    # The tests' own server is one: what it writes need not outlive anything.
    runner = CliRunner(env={"RECON_DATABASE_URL": database_url, "NO_COLOR": "1"})
    result = await asyncio.to_thread(runner.invoke, recon, ["doctor", "--json"])

    assert result.exit_code == 5
    (database,) = (f for f in json.loads(result.stdout)["findings"] if f["check"] == "database")
    assert database == {
        "check": "database",
        "ok": False,
        "detail": "fsync and full_page_writes off: "
        "a power cut may lose what a PSP was told is kept",
    }


@pytest.mark.parametrize(
    ("row", "setting", "ok", "detail"),
    [
        (None, "on", True, "no worker runs that would listen"),
        (None, "off", True, "off: bets settle when the jobs ask"),
        (
            "now() + interval '1 hour', now(), now(), NULL",
            "on",
            True,
            "one process listens, since ",
        ),
        ("now() - interval '1 s', NULL, now(), NULL", "on", True, "no worker runs"),
        ("'-infinity', NULL, now(), 'lost'", "on", True, "would listen; the last: lost"),
        (
            "now() + interval '1 hour', NULL, NULL, 'closed with 4001'",
            "on",
            False,
            ": closed with 4001",
        ),
    ],
)
async def test_it_says_whether_anybody_listens_to_the_game(
    pool: Pool, database_url: str, row: str | None, setting: str, detail: str, *, ok: bool
) -> None:
    if row is not None:
        await pool.execute(
            "INSERT INTO stream_holders (stream, held_until, connected_at, heard_at, failure)"
            f" SELECT 'game', {row}"
        )
    async with open_game() as game:
        env = game.settings | {"RECON_DATABASE_URL": database_url, "RECON_GAME_STREAM": setting}
        runner = CliRunner(env={**env, "NO_COLOR": "1"})
        result = await asyncio.to_thread(runner.invoke, recon, ["doctor", "--json"])

    found = [f for f in json.loads(result.stdout)["findings"] if f["check"] == "game stream"]
    assert [f["ok"] for f in found] == [ok]
    assert detail in found[0]["detail"]


class AheadBy(WallClock):
    """The time of a game whose clock is not ours."""

    def __init__(self, seconds: int) -> None:
        self._ahead = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return super().now() + self._ahead


@pytest.mark.parametrize(
    ("scopes", "ahead_s", "said"),
    [
        (["read:game_state", "read:balance", "read:bet", "write:bet"], 0, []),
        (
            ["read:game_state"],
            0,
            [
                "GET /api/v1/user/balance: insufficient_scope",
                "GET /api/v1/bets: insufficient_scope",
                "POST /api/v1/bets/holds/{hold_id}/release: insufficient_scope",
            ],
        ),
        (
            ["read:game_state", "read:balance", "read:bet", "write:bet"],
            45,
            ["this machine's clock is -45 s from the game's"],
        ),
    ],
)
async def test_it_tries_each_scope_and_the_clock_without_moving_anything(
    database_url: str, scopes: list[str], ahead_s: int, said: list[str]
) -> None:
    async with open_game() as game:
        game.sandbox.timeline.clock = AheadBy(ahead_s)
        made = await game.control("POST", "/keys", scopes=scopes)
        env = game.settings | {
            "RECON_DATABASE_URL": database_url,
            "RECON_GAME_API_KEY": made["api_key"],
            "RECON_GAME_SIGNING_SECRET": made["signing_secret"],
            "NO_COLOR": "1",
        }
        result = await asyncio.to_thread(CliRunner(env=env).invoke, recon, ["doctor", "--json"])
        moved = game.sandbox.book.holds, game.sandbox.book.bets

    (found,) = (f for f in json.loads(result.stdout)["findings"] if f["check"] == "game")
    assert found["ok"] == (not said)
    assert [one for one in said if one not in found["detail"]] == []
    assert found["detail"].count(";") == len(said) + ("past 60 s" in found["detail"])
    assert moved == ({}, {})


async def examined(**env: str) -> dict[str, tuple[bool, str]]:
    """What is said of each check; what is found in a fault is an exit of 5."""
    runner = CliRunner(env={"NO_COLOR": "1", **env})
    result = await asyncio.to_thread(runner.invoke, recon, ["doctor", "--json"])
    said = json.loads(result.stdout)
    assert (result.exit_code == 0) == said["ok"]
    return {one["check"]: (one["ok"], one["detail"]) for one in said["findings"]}


async def test_what_a_set_up_lacks_is_named_all_at_once(database_url: str) -> None:
    found = await examined(RECON_DATABASE_URL=database_url, RECON_COLOURS="many")

    assert found["psp"] == (False, "no PSP is configured: RECON_PSP__<ENDPOINT>__…")
    assert found["game"] == (False, "RECON_GAME_URL is not set")
    assert found["environment"] == (False, "RECON_COLOURS is no setting; it is ignored")


async def test_a_schema_that_is_behind_and_an_account_that_is_not_fixed_are_faults(
    database_url: str, owner_url: str
) -> None:
    await downgrade(owner_url, revision="0009")
    found = await examined(
        RECON_DATABASE_URL=database_url,
        RECON_PSP__ADYEN_UK__PROVIDER="adyen",
        RECON_PSP__ADYEN_UK__SECRETS=json.dumps(["ab" * 32]),
    )

    said = (False, "the schema is at 0009, this version needs 0010: run `recon migrate`")
    assert found["database"] == said
    assert found["psp"] == (True, "adyen_uk (adyen)")
    ok, detail = found["psp adyen_uk"]
    assert (ok, "set MERCHANT_ACCOUNT" in detail) == (False, True)


async def test_a_server_that_is_too_old_or_not_there_is_a_fault(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = await examined(RECON_DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    assert (gone["database"][0], "cannot be reached" in gone["database"][1]) == (False, True)

    monkeypatch.setattr(pool_module, "MIN_SERVER_VERSION", 99)
    old = await examined(RECON_DATABASE_URL=database_url)
    assert (old["database"][0], "is too old; recon needs 99" in old["database"][1]) == (False, True)


async def test_a_pooler_whose_sessions_look_elsewhere_is_a_fault(
    database_url: str, owner_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = tmp_path / "pgbouncer.ini"
    shipped = tests.pooler.SHIPPED.read_text()
    careless.write_text(re.sub(r" connect_query='[^']*'", "", shipped))
    monkeypatch.setattr(tests.pooler, "SHIPPED", careless)
    connection = await asyncpg.connect(owner_url)
    try:
        await connection.execute(
            f'ALTER ROLE {SERVICE_USER} IN DATABASE "{urlsplit(owner_url).path[1:]}"'
            " SET search_path = pg_catalog, public"
        )
    finally:
        await connection.close()

    async with tests.pooler.pooling([database_url], size=2) as pooler:
        found = await examined(RECON_DATABASE_URL=pooler.through(database_url))

    ok, detail = found["database pooler"]
    assert (ok, "by search_path pg_catalog, public: have it set" in detail) == (False, True)
