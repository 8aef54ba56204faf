"""Pages come from a real streaming replica, and say as of when; who wrote reads what they wrote.

The replica is held up to show which of the two a page comes from.
"""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from click.testing import CliRunner
from pydantic import SecretStr

from recon.app import build_app
from recon.cli import recon
from recon.clock import now
from recon.db import open_pool
from recon.db import replica as module
from recon.db.replica import REPLICA, Replica, open_replica, replica_numbers
from recon.db.standby import NoStandbyError, fault_of
from recon.http import Scope
from recon.http.keys import create_key
from recon.reconciliation.propose import propose
from recon.settings import Settings
from recon.web import Role, add_staff
from tests.reconciliation.cases import Cases, by
from tests.standby import Standby, of_another_cluster, streaming
from tests.web.conftest import Site
from tests.web.many import discrepancies

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from recon.db.embedded import EmbeddedPostgres

HOUR: Final = timedelta(hours=1)


@pytest.fixture(scope="module")
async def standby(server: EmbeddedPostgres, template: str) -> AsyncIterator[Standby]:
    """One for the file; it follows the whole server."""
    del template
    async with streaming(server) as running:
        yield running


@pytest.fixture(autouse=True)
async def going_on(standby: Standby, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Held up by a test, and by no other; nor does it rest because this machine is busy."""
    monkeypatch.setattr(module, "_LOOK_WITHIN_S", 30.0)
    yield
    if standby.child.returncode is None:
        await standby.resume()


@asynccontextmanager
async def served(
    pool: Pool, primary: str, standby: Standby, max_lag: timedelta = HOUR
) -> AsyncIterator[tuple[Site, Replica]]:
    """The whole service with a replica, seen by one who may manage the staff."""
    settings = Settings(
        replica_database_url=SecretStr(standby.at(primary)), replica_max_lag=max_lag
    )
    await hire(pool, "ada")
    app = build_app(settings, primary, jobs=False)
    async with TestClient(TestServer(app), cookie_jar=CookieJar(unsafe=True)) as client:
        ada = Site(client, pool, str(client.make_url("/")).rstrip("/"))
        assert await ada.sign_in("ada") == 303
        yield ada, app[REPLICA]


@asynccontextmanager
async def replicated(
    server: EmbeddedPostgres,
    pool: Pool,
    primary: str,
    standby: Standby,
    max_lag: timedelta = HOUR,
) -> AsyncIterator[tuple[Site, Site]]:
    """The same, seen by two, when the replica has all of it."""
    await hire(pool, "bob")
    async with served(pool, primary, standby, max_lag) as (ada, _):
        running = ada.client.server
        assert isinstance(running, TestServer)
        other: TestClient[web.Request, web.Application] = TestClient(
            running, cookie_jar=CookieJar(unsafe=True)
        )
        async with other:
            bob = Site(other, pool, ada.origin)
            assert await bob.sign_in("bob") == 303
            await standby.caught_up(server)
            yield ada, bob


async def hire(pool: Pool, name: str) -> None:
    """One more who may manage the staff."""
    await add_staff(pool, name=name, role=Role.ADMIN, password="correct horse battery", actor="cli")


async def page(site: Site) -> tuple[str, str | None]:
    """The list of the staff, and as of when it is."""
    async with site.client.get("/settings", headers={"Accept": "text/html"}) as answer:
        assert answer.status == 200
        return await answer.text(), answer.headers.get("Recon-As-Of")


def as_of(header: str | None) -> datetime:
    assert header is not None, "from the replica"
    return datetime.fromisoformat(header)


async def test_pages_and_exports_come_from_the_replica_and_say_as_of_when(
    server: EmbeddedPostgres, pool: Pool, database_url: str, standby: Standby
) -> None:
    async with replicated(server, pool, database_url, standby) as (ada, _):
        await standby.pause()
        before = now()
        await add_staff(pool, name="carol", role=Role.VIEWER, password=None, actor="cli")

        said, header = await page(ada)
        assert "carol" not in said
        assert "from a replica" in said
        assert as_of(header) <= now()
        async with ada.client.get("/audit/export") as export:
            assert (export.status, "carol" in await export.text()) == (200, False)
            assert "Recon-As-Of" in export.headers
        assert float(await told(ada, up="1.0")) >= 0

        await standby.resume()
        await standby.caught_up(server)
        await asyncio.sleep(module._LOOK_EVERY_S)  # noqa: SLF001 - nobody looks again before
        said, header = await page(ada)
        assert "carol" in said
        assert as_of(header) > before


async def test_an_export_by_the_api_comes_from_the_replica_unless_it_is_asked_for_what_is_now(
    server: EmbeddedPostgres, pool: Pool, database_url: str, standby: Standby
) -> None:
    key = await create_key(pool, name="ledger", scopes=[Scope.READ_DISCREPANCY], lifetime=None)
    bearer = {"Authorization": f"Bearer {key.key}"}
    async with replicated(server, pool, database_url, standby) as (ada, _):

        async def rows(**headers: str) -> tuple[int, bool]:
            async with ada.client.get(
                "/api/v1/discrepancies/export?format=json", headers={**bearer, **headers}
            ) as answer:
                assert answer.status == 200
                found = (await answer.text()).count('"discrepancy_id"')
                return found, "Recon-As-Of" in answer.headers

        await standby.pause()
        await discrepancies(pool, 1)
        assert await rows() == (0, True)
        assert await rows(**{"Cache-Control": "no-cache"}) == (1, False)

        # A list is short, and whoever turns its pages has what is now.
        async with ada.client.get("/api/v1/discrepancies", headers=bearer) as answer:
            assert len((await answer.json())["items"]) == 1


async def test_who_wrote_reads_it_at_once_and_others_as_of_before(
    server: EmbeddedPostgres, pool: Pool, database_url: str, standby: Standby
) -> None:
    async with replicated(server, pool, database_url, standby) as (ada, bob):
        await standby.pause()
        status, _, _ = await ada.post(
            "/settings/staff", {"csrf": await ada.csrf(), "name": "dora", "role": "viewer"}
        )
        assert status == 200

        (mine, header), (theirs, other) = await page(ada), await page(bob)
        assert ("dora" in mine, header) == (True, None), "from the primary"
        assert ("dora" in theirs, other is not None) == (False, True)

        await standby.resume()
        await standby.caught_up(server)
        said, header = await page(ada)
        assert ("dora" in said, header is not None) == (True, True), "it is there by now"


async def test_who_wrote_by_our_script_reads_it_at_once_too(
    server: EmbeddedPostgres, pool: Pool, database_url: str, standby: Standby
) -> None:
    """It is answered 204, with where to go next, in place of a redirect."""
    async with replicated(server, pool, database_url, standby) as (ada, _):
        before = await page(ada)
        await standby.pause()
        fields = {"csrf": await ada.csrf(), "name": "bob", "role": "viewer"}
        status, _, _ = await ada.post("/settings/staff/role", fields, X_Stay="1")
        assert (before[1] is not None, status) == (True, 204)

        assert (await page(ada))[1] is None, "from the primary"


async def test_who_was_told_that_a_proposal_is_stale_reads_it_so(
    server: EmbeddedPostgres, pool: Pool, database_url: str, standby: Standby
) -> None:
    """The refusal is written down."""
    cases = Cases(pool)
    await cases.deposit("u_1", "100.00")
    case = await cases.seen("u_1", "120.00")
    proposed = await propose(pool, case, "20.00", "by PSP's report", step=by("ana"))
    await cases.deposit("u_1", "1.00")
    await add_staff(
        pool, name="leo", role=Role.APPROVER, password="correct horse battery", actor="cli"
    )
    async with replicated(server, pool, database_url, standby) as (leo, _):
        assert await leo.sign_in("leo") == 303
        await standby.caught_up(server)
        before = await page(leo)
        await standby.pause()
        approve = f"/adjustments/{proposed.adjustment_id}/approve"
        status, _, _ = await leo.act(approve)
        assert (before[1] is not None, status) == (True, 409)

        assert (await page(leo))[1] is None, "from the primary"


@pytest.fixture(scope="module")
async def leaving(server: EmbeddedPostgres, template: str) -> AsyncIterator[Standby]:
    """Another standby, which becomes a primary of its own, on the next timeline."""
    del template
    async with streaming(server) as running:
        yield running


async def test_a_standby_that_was_promoted_is_not_read_which_is_said_once(
    server: EmbeddedPostgres, pool: Pool, database_url: str, leaving: Standby
) -> None:
    """It remembers how far it had come, and is ahead of the primary once it writes."""
    await leaving.caught_up(server)
    await leaving.promote()
    with structlog.testing.capture_logs() as logs:
        async with served(pool, database_url, leaving) as (ada, replica):
            for _ in range(3):
                said, header = await page(ada)
                assert ("ada" in said, header) == (True, None)
                replica._rests_until_s = 0  # noqa: SLF001 - ten seconds later
            assert await told(ada, up="0.0") == "NaN"

    assert [log["reason"] for log in logs if log["event"] == "replica_not_read"] == [
        "the replica is no standby: it was promoted, or never was one"
    ]


async def test_a_standby_of_another_history_is_not_read(
    server: EmbeddedPostgres, standby: Standby, leaving: Standby
) -> None:
    """As after a restore: the primary goes on, on another timeline, from where they were one."""
    await leaving.promote()
    primary = server.dsn_for("postgres")
    async with (
        open_pool(leaving.at(primary), max_size=1) as restored,
        open_replica(standby.at(primary), restored, max_size=1, at_most=HOUR) as replica,
    ):
        with pytest.raises(NoStandbyError, match="on timeline 1, the primary on 2"):
            await replica.look()


async def test_a_standby_of_another_cluster_is_not_read(
    server: EmbeddedPostgres, pool: Pool, database_url: str
) -> None:
    async with of_another_cluster(server) as stranger:
        async with open_replica(stranger.owner_dsn, pool, max_size=1, at_most=HOUR) as replica:
            assert await replica.as_of() is None
            with pytest.raises(NoStandbyError, match="is of another cluster"):
                await replica.look()
        told = await doctored(database_url, stranger.owner_dsn, "1h")
        assert (told["ok"], "another cluster" in told["detail"]) == (False, True)
        # Nor is there such a user: a password that is wrong there takes no page down.
        refused = await doctored(database_url, stranger, "1h")
        assert (refused["ok"], "refuses us" in refused["detail"]) == (False, True)


async def test_another_database_of_the_standby_is_not_ours(
    server: EmbeddedPostgres, pool: Pool, standby: Standby
) -> None:
    elsewhere = standby.at(server.service_dsn_for("postgres"))
    async with open_replica(elsewhere, pool, max_size=1, at_most=HOUR) as replica:
        with pytest.raises(NoStandbyError, match="names another database"):
            await replica.look()


async def test_a_role_that_may_not_ask_which_cluster_it_is_reads_the_primary_and_writes(
    pool: Pool, owner: Pool, database_url: str, standby: Standby
) -> None:
    await owner.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    try:
        async with open_replica(
            standby.at(database_url), pool, max_size=1, at_most=HOUR
        ) as replica:
            assert await replica.as_of() is None
            with pytest.raises(NoStandbyError, match="let the service's role execute"):
                await replica.look()
            assert "/" in await replica.written(), "behind each form"
    finally:
        await owner.execute("GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC")


def test_what_is_ahead_of_its_primary_does_not_follow_it() -> None:
    """As after a disk was put back: the same cluster, the same timeline, and less written."""
    written = {"place": "1/00000010", "cluster": 7, "timeline": 1, "database": 5}
    assert fault_of(written, written) is None
    assert fault_of(written, {**written, "place": "0/FFFFFFFF"}) is None

    said = fault_of(written, {**written, "place": "1/00000011"})
    assert said is not None
    assert "more than the primary ever wrote" in said
    said = fault_of({**written, "place": None}, written)
    assert said == "what is set as the primary is a standby itself"


async def test_while_the_primary_is_gone_nothing_is_told_of_the_replica() -> None:
    """Else one part would be known, and the alert that all are unknown could not fire."""
    app = web.Application()
    async with open_pool("postgresql://127.0.0.1:1/gone", lazy=True, max_size=1) as gone:
        app[REPLICA] = Replica(gone, gone, at_most=HOUR)
        with pytest.raises(OSError, match="Connect call failed"):
            await replica_numbers(app).refresh(gone)


async def told(site: Site, *, up: str) -> str:
    """How far behind it is by `/metrics`, once that says whether it is read."""
    async with asyncio.timeout(60):
        while True:
            async with site.client.get("/metrics") as answer:
                found = dict(
                    re.findall(r"^recon_replica_(\w+) (\S+)$", await answer.text(), re.MULTILINE)
                )
            if found.get("up") == up:
                return str(found["behind_seconds"])
            await asyncio.sleep(0.1)


async def test_a_replica_that_is_too_far_behind_or_gone_is_not_read(
    server: EmbeddedPostgres, pool: Pool, database_url: str, standby: Standby
) -> None:
    tight = timedelta(seconds=1)
    async with replicated(server, pool, database_url, standby, tight) as (ada, _):
        assert (await doctored(database_url, standby, "1h"))["ok"]
        await standby.pause()
        await add_staff(pool, name="erin", role=Role.VIEWER, password=None, actor="cli")
        await asyncio.sleep(1.1)

        said, header = await page(ada)
        assert ("erin" in said, header) == (True, None)
        assert await reasons(pool, standby.at(database_url), tight) == [
            "the replica is more than 1 s behind"
        ]
        behind = await doctored(database_url, standby, "1s")
        assert (behind["ok"], "more than 1 s; pages read the primary" in behind["detail"]) == (
            False,
            True,
        )
        primary = await doctored(database_url, database_url, "1s")
        assert (primary["ok"], "is no standby" in primary["detail"]) == (False, True)

        await standby.resume()
        await standby.caught_up(server)
        await standby.stop()
        said, header = await page(ada)
        assert ("erin" in said, header) == (True, None)
        gone = await doctored(database_url, standby, "1h")
        assert (gone["ok"], "does not answer" in gone["detail"]) == (False, True)
        assert await told(ada, up="0.0") == "NaN"


async def reasons(pool: Pool, replica: str, max_lag: timedelta) -> list[str | None]:
    """What the log says of a replica that is asked for three times; ``None``: it is read again."""
    with structlog.testing.capture_logs() as logs:
        async with open_replica(replica, pool, max_size=1, at_most=max_lag) as asked:
            for _ in range(3):
                assert await asked.as_of() is None
    return [log.get("reason") for log in logs if log["event"].startswith("replica_")]


async def doctored(primary: str, replica: Standby | str, max_lag: str) -> dict[str, Any]:
    """What `recon doctor` says of it."""
    env = {
        "RECON_DATABASE_URL": primary,
        "RECON_REPLICA_DATABASE_URL": replica if isinstance(replica, str) else replica.at(primary),
        "RECON_REPLICA_MAX_LAG": max_lag,
        "NO_COLOR": "1",
    }
    result = await asyncio.to_thread(CliRunner(env=env).invoke, recon, ["doctor", "--json"])
    findings = json.loads(result.stdout)["findings"]
    return dict(next(one for one in findings if one["check"] == "database replica"))
