"""SIGKILL at random moments, under load."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.violence.budget import ALLOWED, seconds

if TYPE_CHECKING:
    from tests.violence.scene import Scene

pytestmark = ALLOWED


async def test_the_service_is_killed_and_started_again(scene: Scene) -> None:
    async def kill() -> bool:
        running = scene.service.is_running
        await scene.service.kill()
        return running

    async with scene.under_load():
        await scene.again_and_again(seconds(2), kill, "SIGKILL of the service")
    await scene.judge()

    assert scene.in_flight > 0, "it had something to lose"


async def test_postgres_is_killed_and_the_service_goes_on_by_itself(scene: Scene) -> None:
    async def kill() -> bool:
        return scene.chance.choice(
            [
                lambda: scene.cluster.signal_postmaster(signal.SIGKILL),
                lambda: scene.cluster.kill_backend(scene.chance),
                scene.cluster.kill_everything,
            ]
        )()

    pid = scene.service.pid
    async with scene.under_load():
        await scene.again_and_again(seconds(2), kill, "SIGKILL of Postgres")
    await scene.judge()

    assert (scene.service.pid, scene.service.starts) == (pid, 1)
    assert scene.psp.tally.refused > 0, "it said so"


async def test_both_are_killed_at_once(scene: Scene) -> None:
    async def kill() -> bool:
        hurt = scene.cluster.kill_everything()
        await scene.service.kill()
        return hurt

    async with scene.under_load():
        await scene.again_and_again(seconds(2), kill, "SIGKILL of both")
    await scene.judge()

    assert scene.in_flight > 0, "they had something to lose"
