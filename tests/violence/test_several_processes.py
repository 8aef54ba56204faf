"""Two services and two workers on one database are one: whoever is killed, and while all are new.

One of the services has two processes behind its port.
"""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.migrations.newer import Newer
from tests.violence.budget import ALLOWED, PATIENCE_S
from tests.violence.fleet import EVERY_S, assembled, until
from tests.violence.probing import SLOW, Prober
from tests.violence.summary import PROPERTY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from tests.violence.cluster import Cluster
    from tests.violence.fleet import Fleet

pytestmark = ALLOWED


_DATABASE = "violence_fleet"
_EXPANDED = (
    "deliveries",
    "movements",
    "payments",
    "wallets",
    "postings",
    "idempotency",
    "bets",
    "bet_attempts",
    "api_requests",
    "runs",
)
"""What the traffic writes to; each gets a column by a revision of its own, as locks should be."""


@pytest.fixture
def newer(tmp_path: Path) -> Newer:
    """The next version, whose schema our code is to run on."""
    made = Newer(tmp_path)
    ours = made.head
    for table in _EXPANDED:
        made.add(f"ALTER TABLE {table} ADD COLUMN later text", oldest_code=ours)
    # All rights are taken and given anew behind it, under those who work with them.
    made.add(
        "CREATE TABLE later (user_id text PRIMARY KEY)",
        oldest_code=ours,
        grants='GRANT INSERT ON later TO :"service";',
    )
    return made


@pytest.fixture(scope="module")
async def fleet(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Fleet]:
    """All of it, for every proof of this file."""
    await cluster.up()
    await cluster.execute(f"CREATE DATABASE {_DATABASE} TEMPLATE template_violence")
    async with assembled(cluster, _DATABASE, tmp_path_factory.mktemp("fleet")) as made:
        yield made
    await cluster.execute(f"DROP DATABASE {_DATABASE} WITH (FORCE)")


async def test_whoever_is_killed_nothing_is_done_twice_or_left_undone(
    fleet: Fleet, record_property: Callable[[str, object], None]
) -> None:
    scene, (first, second), (one, other) = fleet.scene, fleet.services, fleet.workers
    async with fleet.under_load():
        held = {await fleet.listened_to()}

        await one.kill()
        os.kill(scene.chance.choice(fleet.processes), signal.SIGKILL)
        await fleet.going_on()
        await second.kill()
        await fleet.going_on()
        await second.up()
        # Whoever held it, the other worker does now.
        held.add(await fleet.listened_to())
        await until(lambda: len(fleet.processes) == 2)

        await one.begin()
        await other.kill()
        await first.kill()
        await fleet.going_on()
        await first.up()
        held.add(await fleet.listened_to())
        await other.begin()
        await fleet.going_on()
        # However slow the machine is: a schedule shows only by two runs.
        await fleet.let_leases_end()
        async with asyncio.timeout(3 * PATIENCE_S):
            while len(await fleet.scheduled()) < 2:  # noqa: ASYNC110 - other processes start them
                await asyncio.sleep(0.1)
        scene.harm["SIGKILL"] = 5
    await fleet.settle()
    await fleet.judge()

    assert len(held) > 1, "another process listened when the one that did was killed"
    pairs = list(pairwise(await fleet.scheduled()))
    assert pairs
    for former, later in pairs:
        assert later["started_at"] - former["started_at"] >= timedelta(seconds=EVERY_S)
        assert former["finished_at"] <= later["started_at"], "never two at once"
    record_property(PROPERTY, scene.told())


async def test_while_all_are_replaced_and_the_schema_is_newer_nobody_is_refused(
    fleet: Fleet,
    cluster: Cluster,
    newer: Newer,
    record_property: Callable[[str, object], None],
) -> None:
    scene, (first, second), (one, _) = fleet.scene, fleet.services, fleet.workers
    tally, bettors = scene.psp.tally, fleet.bettors
    async with fleet.under_load():
        await until(lambda: len(fleet.balancer.ready) == 2)
        before = (tally.refused, tally.unanswered, bettors.refused, bettors.unanswered)

        # The schema first, while the code of before serves; table by table.
        status = await newer.bring_up(cluster.server.dsn_for(_DATABASE))
        assert status.current == newer.head
        await fleet.going_on()

        # Then the processes, which here are of before once more.
        former, prober = {*fleet.processes}, Prober(first.url)
        async with prober.asking():
            os.kill(first.pid, signal.SIGHUP)
            await until(lambda: not former & {*fleet.processes})
            await until(lambda: len(fleet.processes) == 2)
        assert await second.terminate() == 0
        await second.up()
        assert await one.terminate() == 0
        await one.begin()
        await until(lambda: len(fleet.balancer.ready) == 2)
        await fleet.going_on()

        # At last both processes behind one port at once.
        assert await first.terminate() == 0
        await first.up()
        await until(lambda: len(fleet.balancer.ready) == 2)
        await fleet.going_on()

        assert (tally.refused, tally.unanswered, bettors.refused, bettors.unanswered) == before
        scene.harm["replaced"] = 6
    # No balancer was given a reason to send callers elsewhere, and who was connected was told.
    assert {*prober.heard} - {SLOW} == {"ready"}
    assert {heard for kept in prober.kept for heard in kept.heard} - {SLOW} == {"ready"}
    assert any(kept.was_told for kept in prober.kept)
    await fleet.settle()
    await fleet.judge()
    record_property(PROPERTY, scene.told())
