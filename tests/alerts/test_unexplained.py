"""What stands unexplained is told once, and again only when there is more to tell."""

from __future__ import annotations

from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING

import pytest

from recon.alerts import Alerting, AlertType
from recon.reconciliation import Cause
from recon.reconciliation.ignore import ignore
from tests.alerts.conftest import ago
from tests.alerts.plain import policy
from tests.reconciliation.cases import by

if TYPE_CHECKING:
    from tests.alerts.conftest import Books, Hook

HOUR = timedelta(hours=1)


async def test_two_differences_that_stand_are_one_message_sent_once(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    small = await books.differs("u_1", "5.00")
    large = await books.differs("u_2", "700", currency="JPY")

    assert await books.look(alerting) == 1
    await books.pass_by(HOUR)
    assert await books.look(alerting) == 0

    (said,) = hook.said
    assert said["type"] == "discrepancies.unexplained"
    data = said["data"]
    assert data["summary"] == (
        "2 discrepancies stand unexplained: 5.00 GBP in 1 wallet, 700 JPY in 1 wallet"
    )
    assert data["currencies"] == [
        {"currency": "GBP", "count": 1, "difference": "5.00", "unexplained": "5.00"},
        {"currency": "JPY", "count": 1, "difference": "700", "unexplained": "700"},
    ]
    assert [one["discrepancy_id"] for one in data["discrepancies"]] == [str(large), str(small)]
    assert data["discrepancies"][1] | {"first_seen_at": "", "last_seen_at": ""} == {
        "discrepancy_id": str(small),
        "user_id": "u_1",
        "currency": "GBP",
        "difference": "5.00",
        "unexplained": "5.00",
        "cause": "unexplained",
        "severity": "medium",
        "status": "open",
        "first_seen_at": "",
        "last_seen_at": "",
        "told_because": "new",
        "url": f"https://recon.example/discrepancies/{small}",
    }
    assert await books.ways() == [("webhook:ops", "sent", 1)]


async def test_when_there_is_nothing_nothing_is_sent(books: Books, hook: Hook) -> None:
    alerting = Alerting(
        policy=policy(digest_every=timedelta(milliseconds=1)), channels=[hook.receiver()]
    )
    await books.ran("finished", started=ago(minutes=1))

    assert [await books.look(alerting) for _ in range(3)] == [0, 0, 0]
    assert hook.calls == []


async def test_what_is_explained_small_young_mild_or_ignored_is_not_told(
    books: Books, hook: Hook
) -> None:
    rules = policy(least={"GBP": 100}, severities=["medium", "high", "critical"])
    alerting = Alerting(policy=rules, channels=[hook.receiver()])
    await books.cases.seen(
        "explained",
        "20.00",
        since=ago(hours=1),
        evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)],
    )
    await books.differs("small", "0.99")
    await books.differs("young", "50.00", stood=timedelta(minutes=14))
    ignored = await books.differs("ignored", "50.00")
    await ignore(books.pool, ignored, "known", until=None, step=by("ada"))

    assert await books.look(alerting) == 0

    # It has stood when it is seen again after the time, not merely when the time has passed.
    await books.owner.execute(
        "UPDATE discrepancies SET unexplained_since = unexplained_since - interval '10 minutes'"
        " WHERE user_id = 'young'"
    )
    assert await books.look(alerting) == 1
    assert [one["user_id"] for one in hook.said[0]["data"]["discrepancies"]] == ["young"]


@pytest.mark.parametrize(
    ("then", "told"),
    [("15.00", []), ("20.00", ["grown"]), ("-0.01", ["grown"]), ("9.00", [])],
)
async def test_it_is_told_again_when_it_has_moved_by_as_much_as_was_told(
    books: Books, hook: Hook, then: str, told: list[str]
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    await books.look(alerting)
    await books.pass_by(HOUR)

    await books.differs("u_1", then)
    await books.look(alerting)
    await books.pass_by(HOUR)
    await books.look(alerting)

    again = [one["told_because"] for said in hook.said[1:] for one in said["data"]["discrepancies"]]
    assert again == told


async def test_it_is_told_again_once_when_it_is_reopened(books: Books, hook: Hook) -> None:
    at_once = policy(at_most_every=timedelta(0))
    alerting = Alerting(policy=at_once, channels=[hook.receiver()])
    found = await books.differs("u_1", "10.00")
    assert await books.look(alerting) == 1
    await ignore(books.pool, found, "known", until=None, step=by("ada"))
    assert await books.look(alerting) == 0

    await books.differs("u_1", "12.00")
    assert [await books.look(alerting) for _ in range(2)] == [1, 0]

    assert [one["told_because"] for one in hook.said[1]["data"]["discrepancies"]] == ["reopened"]


async def test_one_that_comes_back_after_it_had_healed_is_told_once_it_stands_again(
    books: Books, hook: Hook
) -> None:
    at_once = policy(at_most_every=timedelta(0))
    alerting = Alerting(policy=at_once, channels=[hook.receiver()])
    found = await books.differs("u_1", "10.00")
    await books.look(alerting)
    await books.cases.agrees("u_1")
    assert await books.differs("u_1", "10.00") == found

    assert await books.look(alerting) == 0, "it has only just come back"
    await books.owner.execute(
        "UPDATE discrepancies SET unexplained_since = unexplained_since - interval '1 h'"
    )
    assert [await books.look(alerting) for _ in range(2)] == [1, 0]

    assert [one["told_because"] for one in hook.said[1]["data"]["discrepancies"]] == ["reopened"]


async def test_what_was_explained_is_told_once_it_has_stood_unexplained_for_as_long(
    books: Books, hook: Hook
) -> None:
    """The game did not answer about a ticket once: the next look explains it again."""
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    late = [("p1", "20.00", Cause.MISSING_WEBHOOK)]
    await books.cases.seen("u_1", "20.00", since=ago(hours=3), evidence=late)
    await books.cases.seen("u_1", "20.00", since=ago(hours=3))
    assert await books.look(alerting) == 0

    await books.cases.seen("u_1", "20.00", since=ago(hours=3), evidence=late)
    await books.cases.seen("u_1", "20.00", since=ago(hours=3))
    assert await books.look(alerting) == 0

    # A quarter of an hour later it is still so.
    await books.owner.execute(
        "UPDATE discrepancies SET unexplained_since = unexplained_since - interval '15 min'"
    )
    await books.cases.seen("u_1", "20.00", since=ago(hours=3))
    assert [await books.look(alerting) for _ in range(2)] == [1, 0]


async def test_what_comes_soon_after_waits_and_what_heals_meanwhile_is_never_told(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    await books.look(alerting)
    for user in ("u_2", "u_3", "u_4"):
        await books.differs(user, "10.00")

    assert await books.look(alerting) == 0
    await books.cases.agrees("u_3")
    await books.pass_by(timedelta(minutes=15, seconds=1))
    assert await books.look(alerting) == 1

    data = hook.said[1]["data"]
    assert {one["user_id"] for one in data["discrepancies"]} == {"u_2", "u_4"}


async def test_ten_thousand_at_once_are_one_message_with_sums_and_the_largest(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("player_1", "10.00")
    await books.many(10_000)

    began = perf_counter()
    assert await books.look(alerting) == 1
    took_s = perf_counter() - began

    (said,) = hook.said
    assert (said["data"]["count"], said["data"]["not_shown"]) == (10_000, 9_980)
    total = 1000 + sum(1000 + n for n in range(2, 10_001))
    assert said["data"]["currencies"][0]["unexplained"] == f"{total // 100}.{total % 100:02}"
    assert [one["unexplained"] for one in said["data"]["discrepancies"]][:2] == ["110.00", "109.99"]
    assert took_s < 20, "some tenths of a second, where nothing else runs"
    await books.pass_by(HOUR)
    assert await books.look(alerting) == 0


async def test_a_channel_gets_what_it_wants_and_nothing_else(books: Books, hook: Hook) -> None:
    receivers = [
        hook.receiver("runs", wants=frozenset({AlertType.RUNS_BAD})),
        hook.receiver("money", wants=frozenset({AlertType.UNEXPLAINED})),
    ]
    alerting = Alerting(policy=policy(), channels=receivers)
    await books.differs("u_1", "10.00")
    await books.look(alerting)

    assert await books.ways() == [("webhook:money", "sent", 1)]
