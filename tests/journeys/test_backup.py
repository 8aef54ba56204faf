"""A backup, rehearsed: dumped while the service runs, restored into a new database, proven, served.

What came between the dump and the disaster is not in it. The PSP sends again what was not answered,
and its list or settlement file has the rest; that the chain ends before the anchor says so.

The commands are those of docs/scaling.md, word by word, and the roles those of the README.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import shlex
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner

from recon.app import build_app
from recon.cli import recon
from recon.db import open_pool
from recon.db.embedded import SERVICE_USER
from recon.db.embedded.binaries import CLEAN_ENVIRONMENT
from recon.db.migrations import migrate
from recon.http import Scope
from recon.http.keys import create_key
from recon.settings import Settings
from tests.journeys.conftest import SECRET, deposited, signed
from tests.migrations.newer import Newer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import asyncpg
    from aiohttp import web

    from recon.db.embedded import EmbeddedPostgres

KEYS: Final = json.dumps(["a key that the database never sees"])
OWNER: Final = "recon_owner"
DATABASE: Final = "recon_backed_up"
RESTORED: Final = "recon_restored"
SCALING: Final = Path(__file__).parents[2] / "docs" / "scaling.md"


def documented() -> list[list[str]]:
    """The words of each command under "Backup and restore"."""
    section = SCALING.read_text(encoding="utf-8").partition("## Backup and restore\n")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    lines = [shlex.split(line, comments=True) for line in block[1].splitlines()]
    return [words for words in lines if words]


@dataclass(frozen=True)
class Cluster:
    """A server with the two roles of the README, one of which owns a database."""

    server: EmbeddedPostgres
    password: str

    def owner(self, database: str) -> str:
        """The URL of whoever migrates it."""
        url = urlsplit(self.server.dsn_for(database))
        return url._replace(netloc=f"{OWNER}:{self.password}@").geturl()

    def service(self, database: str) -> str:
        """The URL of whoever serves it."""
        return self.server.service_dsn_for(database)

    async def run(self, words: list[str], folder: Path) -> None:
        """Run one of PostgreSQL's programs as whoever makes databases."""
        administrator = urlsplit(self.server.dsn_for("postgres"))
        place = {name: values[0] for name, values in parse_qs(administrator.query).items()}
        child = await asyncio.create_subprocess_exec(
            self.server.bin(words[0]),
            *(
                self.owner(DATABASE) if word == "$RECON_MIGRATION_DATABASE_URL" else word
                for word in words[1:]
            ),
            cwd=folder,
            env={
                **CLEAN_ENVIRONMENT,
                "PGHOST": place["host"],
                "PGPORT": place["port"],
                "PGUSER": administrator.username or "",
                "PGPASSWORD": administrator.password or "",
            },
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await child.communicate()
        assert child.returncode == 0, said.decode()


@pytest.fixture
async def cluster(
    server: EmbeddedPostgres, administrator: asyncpg.Connection[Any]
) -> AsyncIterator[Cluster]:
    """It, with our schema in its database."""
    made = Cluster(server, secrets.token_hex())
    await administrator.execute(f"CREATE ROLE {OWNER} LOGIN PASSWORD '{made.password}'")
    try:
        await administrator.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        await migrate(made.owner(DATABASE), service_role=SERVICE_USER)
        yield made
    finally:
        for name in (DATABASE, RESTORED):
            await administrator.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        await administrator.execute(f"DROP ROLE {OWNER}")


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """The service on a database."""
    bank = {"provider": "standard-webhooks", "secrets": [SECRET]}
    app = build_app(Settings.model_validate({"psp": {"bank": bank}}), url, jobs=False)
    async with TestClient(TestServer(app)) as client:
        yield client


async def deliver(client: TestClient[web.Request, web.Application], name: str, user: str) -> None:
    """20.00 for a player, told by the PSP."""
    body = deposited(f"p_{name}", user, "20.00")
    async with client.post(
        "/webhooks/bank", data=body, headers=signed(f"evt_{name}", body)
    ) as answer:
        assert answer.status == 200


async def run(url: str, *arguments: str, code: int = 0, **more: str) -> Any:  # noqa: ANN401 - any JSON
    """What a command of ours says."""
    env = {"RECON_DATABASE_URL": url, "RECON_SEAL_KEYS": KEYS, "NO_COLOR": "1", **more}
    runner = CliRunner(env=env, catch_exceptions=False)
    result = await asyncio.to_thread(runner.invoke, recon, [*arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


async def test_a_dump_is_restored_proven_and_served(cluster: Cluster, tmp_path: Path) -> None:
    url, restored_url = cluster.service(DATABASE), cluster.service(RESTORED)
    anchor = tmp_path / "anchor.json"
    dump, *restore, migrate_it, verify, adopt = documented()
    async with open_pool(url, max_size=1) as pool:
        key = await create_key(pool, name="lobby", scopes=[Scope.READ_WALLET], lifetime=None)
    async with serving(url) as client:
        await deliver(client, "1", "u_7")
        backed_up = await run(url, "seal")
        await cluster.run(dump, tmp_path)
        await deliver(client, "2", "u_7")
        # Where the sealer keeps its newest one, outside of the database.
        await run(url, "seal", RECON_SEAL_ANCHOR=str(anchor))

    # Roles belong to the cluster, and are there before; the rights are in the dump.
    for words in restore:
        await cluster.run(words, tmp_path)
    assert migrate_it == ["recon", "migrate"]
    owner_url = cluster.owner(RESTORED)
    status = await run(restored_url, *migrate_it[1:], RECON_MIGRATION_DATABASE_URL=owner_url)
    assert status["up_to_date"]

    proof = await run(restored_url, "verify")
    assert (proof["ok"], proof["postings"], proof["deliveries"]) == (True, 1, 1)
    assert (proof["signatures"], proof["unsealed"]["rows"]) == ("checked", 0)
    at_backup = tmp_path / "at_backup.json"
    at_backup.write_text(json.dumps(backed_up))
    assert (await run(restored_url, "verify", "--anchor", str(at_backup)))["ok"]
    # What was lost shows: the chain ends before the newest seal that is known.
    assert verify == ["recon", "verify", "--anchor", anchor.name]
    cut = await run(restored_url, "verify", "--anchor", str(anchor), code=5)
    assert [fault["detail"] for fault in cut["faults"]] == [
        "seal 2, seen before, is gone: the chain ends with 1"
    ]

    async with serving(restored_url) as client:
        assert (await client.get("/readyz")).status == 200
        await deliver(client, "1", "u_7")  # the PSP repeats itself
        await deliver(client, "2", "u_7")  # and tells again what was lost
        bearer = {"Authorization": f"Bearer {key.key}"}
        async with client.get("/api/v1/wallets/u_7?currency=GBP", headers=bearer) as answer:
            wallet = await answer.json()
    assert (wallet["available"], wallet["version"]) == ("40.00", 2)

    # The sealer goes on behind a shorter chain only when told to, by a person who knows why.
    refused = CliRunner(
        env={
            "RECON_DATABASE_URL": restored_url,
            "RECON_SEAL_KEYS": KEYS,
            "RECON_SEAL_ANCHOR": str(anchor),
        }
    )
    result = await asyncio.to_thread(refused.invoke, recon, ["seal"])
    assert "recon seal --adopt" in str(result.exception)
    await run(restored_url, *adopt[1:], RECON_SEAL_ANCHOR=str(anchor))
    proof = await run(restored_url, "verify", "--anchor", str(anchor))
    assert (proof["ok"], proof["postings"], proof["unsealed"]["rows"]) == (True, 2, 0)

    # It is its owner's, as the one before was: the next version can be brought there.
    newer = Newer(tmp_path)
    newer.add("CREATE TABLE later (user_id text PRIMARY KEY)", oldest_code=newer.head)
    assert (await newer.bring_up(owner_url)).current == newer.head
