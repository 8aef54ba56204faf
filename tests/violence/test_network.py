"""The network to Postgres, cut and restored; and the answer of a commit, lost on its way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.violence.budget import ALLOWED, seconds

if TYPE_CHECKING:
    from tests.violence.scene import Scene

_LONGER_THAN_A_CALL_WAITS_S = 9.0
pytestmark = ALLOWED


async def test_the_network_to_postgres_is_cut_and_restored(scene: Scene) -> None:
    async def cut() -> bool:
        if scene.chance.random() < 0.3:
            scene.line.reset()
            return True
        scene.line.cut()
        await asyncio.sleep(scene.chance.uniform(0, 0.5))
        await scene.line.mend()
        return True

    async with scene.under_load():
        await scene.again_and_again(seconds(2), cut, "cuts")
    await scene.judge()

    assert scene.service.starts == 1
    assert scene.psp.tally.refused > 0


async def test_a_commit_whose_answer_is_lost_is_booked_once(scene: Scene) -> None:
    async with scene.under_load():
        clock = asyncio.get_running_loop().time
        until = clock() + seconds(2)
        while clock() < until or scene.line.commits_lost < 5:
            scene.line.commits_to_lose = scene.chance.randint(1, 3)
            await scene.psp.acknowledged_more(5)
    scene.line.commits_to_lose = 0
    scene.harm["lost answers of commits"] = scene.line.commits_lost
    await scene.judge()

    assert scene.service.starts == 1
    states = await scene.books.repeats()
    assert states > 0, "the PSP sent again what was booked"


async def test_packets_that_vanish_are_answered_for_in_time(scene: Scene) -> None:
    """Longer than a call may take: each is refused before, and nothing must be restarted."""

    async def vanish() -> bool:
        if scene.chance.random() < 0.5:
            scene.line.swallow_everything()
        else:
            scene.line.swallow_answers()
        await asyncio.sleep(_LONGER_THAN_A_CALL_WAITS_S)
        # What was under way is gone for good: nobody on the way knows these connections any more.
        scene.line.reset()
        await scene.line.mend()
        return True

    async with scene.under_load():
        await scene.again_and_again(seconds(1), vanish, "black holes", at_least=1, hasty=False)
    await scene.judge()

    assert scene.service.starts == 1
    assert scene.psp.tally.refused > 0


async def test_connections_that_die_without_a_word_are_given_up_in_time(scene: Scene) -> None:
    """As after a firewall between has lost its memory: no side is told, and new ones work.

    At Postgres the transactions of the dead stand open, with all their locks.
    """

    async def forget() -> bool:
        scene.line.forget()
        return True

    async with scene.under_load():
        await scene.again_and_again(seconds(1), forget, "losses", at_least=1, hasty=False)
    await scene.judge()

    assert scene.service.starts == 1
    assert scene.slowest_recovery_s < 45, "asyncpg by itself would take a minute"
