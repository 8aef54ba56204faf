"""``recon users``: staff from the command line."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from recon.cli import recon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from click.testing import Result

    from tests.web.conftest import Site

    Command = Callable[..., Awaitable[Result]]


@pytest.fixture
def users(database_url: str) -> Command:
    """Runs ``recon users …`` on the test's database."""

    async def run(*arguments: str, stdin: str = "") -> Result:
        runner = CliRunner(env={"RECON_DATABASE_URL": database_url, "NO_COLOR": "1"})
        return await asyncio.to_thread(runner.invoke, recon, ["users", *arguments], input=stdin)

    return run


async def test_who_is_added_signs_in_until_they_are_disabled(site: Site, users: Command) -> None:
    added = await users(
        "add", "nora", "--role", "analyst", "--password-stdin", stdin="a long sentence\n"
    )
    assert (added.exit_code, added.stdout) == (0, "")
    assert await site.sign_in("nora", "a long sentence") == 303
    assert (await site.get("/"))[0] == 200

    listed = json.loads((await users("list", "--json")).stdout)
    (nora,) = [member for member in listed if member["name"] == "nora"]
    assert (nora["role"], nora["disabled_at"]) == ("analyst", None)
    assert nora["last_seen_at"] is not None
    assert "password" not in str(listed)

    assert (await users("disable", "nora")).exit_code == 0
    assert (await site.get("/"))[0] == 303
    assert await site.sign_in("nora", "a long sentence") == 401
    assert "disabled" in (await users("list")).stdout
    assert ("cli", "staff_disabled", "staff:nora") in await site.audited()


@pytest.mark.parametrize(
    ("arguments", "stdin", "code"),
    [
        (("add", "nora", "--role", "analyst", "--password-stdin"), "short\n", "weak_password"),
        (("add", "maker", "--role", "viewer", "--password-stdin"), "x" * 12, "staff_exists"),
        (("add", " nora", "--role", "viewer", "--password-stdin"), "x" * 12, "invalid_name"),
        (("disable", "nobody"), "", "staff_not_found"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    site: Site, users: Command, arguments: tuple[str, ...], stdin: str, code: str
) -> None:
    result = await users(*arguments, stdin=stdin)

    assert result.exit_code != 0
    assert getattr(result.exception, "code", None) == code
    names = await site.pool.fetch("SELECT name FROM staff ORDER BY name")
    assert [row["name"] for row in names] == ["checker", "maker", "root", "watcher"]


async def test_who_comes_by_the_provider_needs_no_password_and_is_unlinked_by_name(
    site: Site, users: Command
) -> None:
    both = await users("add", "nora", "--role", "viewer", "--no-password", "--password-stdin")
    assert (both.exit_code, "cannot both be" in both.stderr) == (2, True)
    assert (await users("add", "nora", "--role", "viewer", "--no-password")).exit_code == 0
    assert await site.sign_in("nora", "") == 401
    await site.pool.execute(
        "INSERT INTO staff_identities (issuer, subject, name) VALUES ('https://i', '1', 'nora')"
    )

    assert (await users("unlink", "nora")).exit_code == 0
    assert (await users("unlink", "nora")).exit_code == 1
