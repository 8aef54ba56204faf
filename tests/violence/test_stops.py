"""Postgres hangs or is stopped properly; the service is stopped properly. Nothing is lost."""

from __future__ import annotations

import asyncio
import signal
from typing import TYPE_CHECKING

from tests.violence.budget import ALLOWED, seconds

if TYPE_CHECKING:
    from tests.violence.scene import Scene

_LONGER_THAN_A_CALL_WAITS_S = 9.0
pytestmark = ALLOWED


async def test_postgres_is_stopped_as_pg_ctl_does(scene: Scene) -> None:
    async def stop() -> bool:
        # -m immediate and -m fast.
        number = scene.chance.choice([signal.SIGQUIT, signal.SIGINT])
        return scene.cluster.signal_postmaster(number)

    async with scene.under_load():
        await scene.again_and_again(seconds(2), stop, "pg_ctl -m immediate or fast")
    await scene.judge()

    assert scene.service.starts == 1
    assert scene.psp.tally.refused > 0


async def test_postgres_that_hangs_is_answered_for_in_time(scene: Scene) -> None:
    """Longer than a call may take: each is refused before that, and taken when it goes on."""

    async def hang() -> bool:
        with scene.cluster.hanging():
            await asyncio.sleep(_LONGER_THAN_A_CALL_WAITS_S)
        return True

    async with scene.under_load():
        await scene.again_and_again(seconds(1), hang, "SIGSTOPs", at_least=1, hasty=False)
    await scene.judge()

    assert scene.service.starts == 1
    assert scene.psp.tally.refused > 0


async def test_a_service_that_is_told_to_stop_answers_every_call_it_took(scene: Scene) -> None:
    async def stop() -> bool:
        assert await scene.service.terminate() == 0
        return True

    async with scene.under_load():
        await scene.again_and_again(seconds(2), stop, "SIGTERM")
    await scene.judge()
    assert scene.psp.tally.broken_off == 0, "refused connections only"
