"""What the service's own verification finds is told once, and the digest says how much stands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recon.alerts import Alerting, AlertType, SealWatch, find_alerts, tell_broken_chain
from recon.alerts import seals as sealing
from recon.clock import new_id
from tests.alerts.plain import policy
from tests.alerts.test_digest import DAY, HOUR, NOW, look

if TYPE_CHECKING:
    from tests.alerts.conftest import Books, Hook

CHANGED = {"check": "posting changed", "user_id": "u_1", "currency": "GBP", "detail": "was changed"}
GONE = {"check": "posting missing", "user_id": "u_2", "currency": "GBP", "detail": "is gone"}


async def verified(books: Books, state: str, *faults: dict[str, str]) -> None:
    reason = "it never ended" if state == "failed" else None
    await books.pool.execute(
        "INSERT INTO verifications (verification_id, state, finished_at, faults, reason)"
        " VALUES ($1, $2, clock_timestamp(), $3, $4)",
        *(new_id(), state, [*faults], reason),
    )


async def told(books: Books, hook: Hook, alerting: Alerting) -> list[Any]:
    """What is told now, and nothing more however often it is looked for."""
    before = len(hook.calls)
    for _ in range(2):
        await books.look(alerting)
        await books.pass_by(timedelta(hours=1))
    return [said["data"] for said in hook.said[before:]]


async def test_each_fault_is_told_once_and_again_only_after_it_had_gone(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await verified(books, "holds")
    assert await told(books, hook, alerting) == []

    await verified(books, "faulty", CHANGED)
    (first,) = await told(books, hook, alerting)
    assert (first["count"], first["new"], first["faults"]) == (1, 1, [CHANGED])
    assert first["summary"] == "The books do not hold: 1 fault"
    await verified(books, "faulty", CHANGED)
    assert await told(books, hook, alerting) == []

    await verified(books, "faulty", CHANGED, GONE)
    (second,) = await told(books, hook, alerting)
    assert (second["count"], second["new"], second["faults"]) == (2, 1, [GONE])
    assert second["summary"] == "The books do not hold: 2 faults, 1 of them known before"

    await verified(books, "holds")
    assert await told(books, hook, alerting) == []
    await verified(books, "faulty", GONE)
    assert [one["new"] for one in await told(books, hook, alerting)] == [1]
    assert {said["type"] for said in hook.said} == {"books.faulty"}


async def test_one_that_could_not_be_made_is_told_once_and_hides_nothing(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await verified(books, "faulty", CHANGED)
    await told(books, hook, alerting)
    await verified(books, "failed")
    (said,) = await told(books, hook, alerting)
    assert said["summary"] == "The books could not be verified: it never ended"
    await verified(books, "failed")
    assert await told(books, hook, alerting) == []

    await verified(books, "faulty", CHANGED, GONE)
    assert [one["faults"] for one in await told(books, hook, alerting)] == [[GONE]]


async def test_what_was_found_while_nobody_could_be_told_is_told_later(
    books: Books, hook: Hook
) -> None:
    """Several verifications later: the newest is held against the last that was looked at."""
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await verified(books, "holds")
    await told(books, hook, alerting)
    await find_alerts(
        books.pool, Alerting(policy=policy(), channels=[hook.receiver(wants=frozenset())])
    )
    for _ in range(3):
        await verified(books, "faulty", CHANGED)

    assert [one["faults"] for one in await told(books, hook, alerting)] == [[CHANGED]]


async def test_the_digest_says_how_many_faults_stand(books: Books, hook: Hook) -> None:
    receiver = hook.receiver(wants=frozenset({AlertType.DIGEST}))
    alerting = Alerting(policy=policy(digest_every=DAY), channels=[receiver])
    await look(books, alerting, ahead=NOW)
    await verified(books, "holds")
    assert await look(books, alerting, ahead=25 * HOUR) == 0, "all is well, so nothing is sent"
    await verified(books, "faulty", CHANGED, GONE)
    assert await look(books, alerting, ahead=49 * HOUR) == 1

    (said,) = hook.said
    assert said["data"]["verification"]["faults"] == 2
    assert said["data"]["summary"] == (
        "0 discrepancies open, 0 new, 0 healed; the books do not hold: 2 faults"
    )


async def test_a_broken_chain_is_told_to_whom_wants_to_hear_of_it_and_to_nobody_else(
    books: Books, hook: Hook
) -> None:
    runs = hook.receiver("runs", wants=frozenset({AlertType.RUNS_BAD}))
    alone = Alerting(policy=policy(), channels=[runs])
    both = Alerting(policy=policy(), channels=[runs, hook.receiver()])
    await find_alerts(books.pool, both)

    assert await tell_broken_chain(books.pool, alone, "seal 7 is gone") is None
    assert await tell_broken_chain(books.pool, both, "seal 7 is gone") is not None
    assert await books.ways() == [("webhook:ops", "pending", 0)]


async def test_sealing_that_fails_pass_after_pass_is_told_once_a_day_and_a_good_pass_ends_it(
    books: Books, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = 1000.0
    monkeypatch.setattr(sealing, "monotonic", lambda: clock)
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await find_alerts(books.pool, alerting)
    watch = SealWatch(books.pool, alerting)

    async def fail() -> None:
        raise PermissionError("denied: seal_links")

    async def end_well() -> None:
        pass

    async def told() -> int:
        """How many messages there are once a pass has failed, at this time."""
        with pytest.raises(PermissionError):
            await watch.make(fail)
        return len(await books.ways())

    assert await told() == 0
    clock += 899
    assert await told() == 0
    await watch.make(end_well)
    assert await told() == 0
    clock += 900
    assert [await told(), await told()] == [1, 1]
    await books.look(alerting)
    assert hook.said[0]["data"]["reason"] == (
        "every pass has failed for long, the last by PermissionError; see the log"
    )
