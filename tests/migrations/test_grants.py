"""One role owns the tables and migrates them; another runs the service with what it is granted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from click.testing import CliRunner
from pydantic import SecretStr

from recon.cli import recon as commands
from recon.clock import now
from recon.db import open_pool
from recon.db.grants import role_of
from recon.db.migrations import downgrade, migrate
from recon.db.pool import DatabaseUnavailableError
from recon.db.schema import bring_up, schema_status
from recon.ledger import post_one, rules
from recon.money import Money
from recon.opening import open_database_url
from recon.seals import excess_rights
from recon.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db.embedded import EmbeddedPostgres

_numbers = count(1)


@dataclass(frozen=True)
class Roles:
    """A database as an operator makes it, by the statements in the README."""

    owner: str
    service: str
    service_role: str


def as_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:pw@{parts.netloc.rpartition('@')[2]}"))


@pytest.fixture
async def roles(server: EmbeddedPostgres) -> AsyncIterator[Roles]:
    number = next(_numbers)
    owner, service, database = f"owner_{number}", f"Service {number}", f"granted_{number}"
    admin = await asyncpg.connect(server.dsn_for("postgres"))
    try:
        for role in (owner, service):
            await admin.execute(f"CREATE ROLE \"{role}\" LOGIN PASSWORD 'pw'")
        await admin.execute(f"CREATE DATABASE {database} OWNER {owner}")
        url = server.dsn_for(database)
        yield Roles(as_user(url, owner), as_user(url, service.replace(" ", "%20")), service)
    finally:
        await admin.execute(f"DROP DATABASE {database} WITH (FORCE)")
        for role in (owner, service):
            await admin.execute(f'DROP ROLE "{role}"')
        await admin.close()


async def may(url: str, privilege: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        answer: bool = await connection.fetchval(
            "SELECT has_table_privilege('movements', $1)", privilege
        )
    finally:
        await connection.close()
    return answer


async def run(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_an_ordinary_owner_migrates_and_an_ordinary_role_serves(roles: Roles) -> None:
    role = await role_of(roles.service)
    status = await migrate(roles.owner, service_role=role)

    assert (role, status.up_to_date) == (roles.service_role, True)
    assert (await schema_status(roles.service)).up_to_date
    async with open_pool(roles.service) as pool:
        async with pool.acquire() as connection, connection.transaction():
            fact = rules.fact_for_player(
                "u_7",
                Money.parse("1.00", "GBP"),
                kind="deposit.succeeded",
                source="psp:x",
                key="p1:deposit",
                event_at=now(),
            )
            await post_one(connection, fact)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute("UPDATE wallets SET available = 9")
    with pytest.raises(DatabaseUnavailableError, match="must be owner"):
        await downgrade(roles.service, revision="base")


async def test_a_role_that_had_more_has_exactly_its_rights_after_the_next_migrate(
    roles: Roles,
) -> None:
    await migrate(roles.owner, service_role=roles.service_role)
    await run(roles.owner, f'GRANT ALL ON movements TO "{roles.service_role}"')
    # What is marked as done is left alone where nobody asked.
    await migrate(roles.owner, service_role=roles.service_role)
    assert await may(roles.service, "DELETE")

    await migrate(roles.owner, service_role=roles.service_role, regrant=True)

    assert await may(roles.service, "INSERT")
    assert not await may(roles.service, "DELETE")


async def test_a_start_gives_its_role_what_it_lacks_and_else_waits_for_no_migration(
    roles: Roles,
) -> None:
    await migrate(roles.owner)  # the schema, and nobody's rights
    brought = await bring_up(roles.owner, service_role=roles.service_role)
    assert (brought.up_to_date, await may(roles.service, "INSERT")) == (True, True)

    migrating = await asyncpg.connect(roles.owner)
    try:
        await migrating.execute("SELECT pg_advisory_lock($1)", 0x7265636F6E)
        again = await asyncio.wait_for(bring_up(roles.owner, service_role=roles.service_role), 60)
    finally:
        await migrating.close()

    assert again == brought


async def test_a_role_that_may_still_create_in_public_is_refused_and_told(
    roles: Roles, server: EmbeddedPostgres
) -> None:
    """As it is in a cluster that was once PostgreSQL 14: PUBLIC may, and our owner cannot help."""
    database = urlsplit(roles.owner).path.removeprefix("/")
    admin = server.dsn_for(database)
    await run(admin, "ALTER SCHEMA public OWNER TO recon; GRANT CREATE ON SCHEMA public TO PUBLIC")

    for _ in range(2):  # nor is it taken for done the next time
        with pytest.raises(DatabaseUnavailableError, match="REVOKE CREATE ON SCHEMA public"):
            await migrate(roles.owner, service_role=roles.service_role)
    async with open_pool(roles.service) as pool:
        assert "may create in schema public" in [one.why for one in await excess_rights(pool)]

    await run(admin, "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert (await migrate(roles.owner, service_role=roles.service_role)).up_to_date
    async with open_pool(roles.service) as pool:
        assert await excess_rights(pool) == []


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ('GRANT UPDATE (amount) ON postings TO "{}"', "may change postings.amount"),
        ('GRANT DELETE ON audit TO "{}"', "may change audit"),
        ('GRANT pg_write_server_files TO "{}"', "is a member of pg_write_server_files"),
        ('ALTER ROLE "{}" CREATEROLE', "has CREATEROLE"),
    ],
)
async def test_a_right_too_many_is_found(
    roles: Roles, server: EmbeddedPostgres, statement: str, why: str
) -> None:
    await migrate(roles.owner, service_role=roles.service_role)
    admin = server.dsn_for(urlsplit(roles.owner).path.removeprefix("/"))
    await run(admin, statement.format(roles.service_role))

    async with open_pool(roles.service) as pool:
        assert [one.why for one in await excess_rights(pool)] == [why]


async def test_one_role_for_both_keeps_what_an_owner_has(roles: Roles) -> None:
    status = await migrate(roles.owner, service_role=await role_of(roles.owner))

    assert status.up_to_date
    assert await may(roles.owner, "DELETE")


async def test_a_role_that_is_not_there_is_told(roles: Roles) -> None:
    with pytest.raises(DatabaseUnavailableError, match='role "nobody" does not exist'):
        await migrate(roles.owner, service_role="nobody")

    assert (await schema_status(roles.owner)).up_to_date


async def test_a_service_that_is_not_let_in_is_told_without_its_password(roles: Roles) -> None:
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached") as refused:
        await role_of(roles.service.replace(":pw@", ":hunter2@"))

    assert "hunter2" not in str(refused.value)


async def recon(*arguments: str, **settings: str) -> tuple[int, str]:
    runner = CliRunner(env={**settings, "NO_COLOR": "1"}, catch_exceptions=False)
    result = await asyncio.to_thread(runner.invoke, commands, list(arguments))
    return result.exit_code, result.stdout


async def test_recon_migrate_works_as_the_owner_for_the_service(roles: Roles) -> None:
    settings = {
        "RECON_DATABASE_URL": roles.service,
        "RECON_MIGRATION_DATABASE_URL": roles.owner,
    }

    assert (await recon("migrate", "status", **settings))[0] == 1
    code, said = await recon("migrate", "--json", **settings)

    assert (code, json.loads(said)["up_to_date"]) == (0, True)
    assert await may(roles.service, "INSERT")
    assert not await may(roles.service, "UPDATE")
    # As the service runs, without the owner's URL.
    code, said = await recon("verify", "--json", RECON_DATABASE_URL=roles.service)
    assert (code, json.loads(said)["ok"]) == (0, True)


async def test_a_service_that_finds_an_empty_database_has_its_owner_migrate_it(
    roles: Roles,
) -> None:
    settings = Settings(
        database_url=SecretStr(roles.service), migration_database_url=SecretStr(roles.owner)
    )

    async with open_database_url(settings) as url:
        assert url == roles.service
        assert await may(url, "INSERT")
        assert not await may(url, "DELETE")


async def test_a_service_that_finds_no_schema_and_may_make_none_is_told(roles: Roles) -> None:
    with pytest.raises(DatabaseUnavailableError, match="permission denied for") as refused:
        await migrate(roles.service, service_role=roles.service_role)

    assert refused.value.message.endswith("RECON_MIGRATION_DATABASE_URL")
