"""Runs that failed, missed wallets or never started are told, each once, and never by hundreds."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.alerts import Alerting, find_alerts
from recon.clock import format_time, parse_time
from tests.alerts.conftest import ago
from tests.alerts.plain import policy

if TYPE_CHECKING:
    from recon.alerts import Policy
    from tests.alerts.conftest import Books, Hook

FIVE = timedelta(minutes=5)
LANES = {"changed": FIVE, "all": timedelta(days=1)}


async def watching(books: Books, hook: Hook, rules: Policy, *, for_: timedelta) -> Alerting:
    """Alerts that were switched on some time ago."""
    alerting = Alerting(policy=rules, channels=[hook.receiver()])
    assert await find_alerts(books.pool, alerting) == []
    await books.watched_for(for_)
    return alerting


async def test_runs_that_failed_or_missed_wallets_are_told_once(books: Books, hook: Hook) -> None:
    alerting = await watching(books, hook, policy(), for_=timedelta(hours=1))
    await books.ran("failed", started=ago(hours=2))  # before anybody watched
    failed = await books.ran("failed", started=ago(minutes=20), scope="all", trigger="api")
    incomplete = await books.ran("incomplete", started=ago(minutes=10))
    await books.ran("finished", started=ago(minutes=5), scope="all")
    await books.ran("incomplete", started=ago(minutes=4), dry=True)
    await books.ran("incomplete", started=ago(minutes=4), scope="users")

    assert await books.look(alerting) == 1
    await books.pass_by(timedelta(days=2))
    assert await books.look(alerting) == 0

    (said,) = hook.said
    assert said["type"] == "runs.failed"
    assert said["data"]["summary"] == "1 run failed and 1 run did not reach every wallet"
    assert [one["run_id"] for one in said["data"]["runs"]] == [failed, incomplete]
    shown = said["data"]["runs"][1]
    assert (shown["state"], shown["compared"], shown["not_compared"], shown["reason"]) == (
        "incomplete",
        7,
        3,
        "the game was gone",
    )


async def test_half_a_night_without_the_game_is_a_few_messages_that_name_every_run(
    books: Books, hook: Hook
) -> None:
    alerting = await watching(books, hook, policy(), for_=timedelta(days=1))
    runs = []
    for _ in range(48):  # four hours of a run every five minutes
        runs.append(await books.ran("incomplete", started=ago(seconds=20)))
        await books.look(alerting)
        await books.pass_by(FIVE)
        await books.owner.execute(
            "UPDATE runs SET started_at = started_at - interval '5 min',"
            " finished_at = finished_at - interval '5 min'"
        )
    counts = [said["data"]["count"] for said in hook.said]
    assert counts == [1, 3, 4, 8, 16]
    told = await books.pool.fetch("SELECT subject FROM alert_subjects WHERE kind = 'run'")
    assert {row["subject"] for row in told} == set(runs[: sum(counts)])

    # A good run ends the trouble; the rest of it comes with the next.
    await books.ran("finished", started=ago(seconds=15))
    await books.ran("incomplete", started=ago(seconds=5))
    await books.look(alerting)
    assert hook.said[-1]["data"]["count"] == 48 - sum(counts) + 1


async def test_a_run_that_the_schedule_did_not_start_is_told_while_nobody_has_started_it(
    books: Books, hook: Hook
) -> None:
    alerting = await watching(books, hook, policy(lanes=LANES), for_=timedelta(hours=3))
    last = await books.ran("finished", started=ago(minutes=9, seconds=30))
    assert await books.look(alerting) == 0, "a period late is not skipped yet"

    await books.owner.execute("UPDATE runs SET started_at = started_at - interval '40 s'")
    assert await books.look(alerting) == 1
    await books.pass_by(timedelta(hours=1))
    assert await books.look(alerting) == 0

    (said,) = hook.said
    (gap,) = said["data"]["skipped"]
    due = format_time(parse_time(gap["last_started_at"]) + FIVE)
    assert said["type"] == "runs.skipped"
    assert (gap["scope"], gap["reason"], gap["last_run_id"]) == ("changed", "not_started", last)
    assert (gap["every_s"], gap["due_at"], gap["resumed_at"]) == (300, due, None)
    assert (
        said["data"]["summary"] == f"The run over what changed that was due at {due} did not start"
    )


async def test_whoever_comes_back_tells_of_the_time_in_which_nobody_was_there(
    books: Books, hook: Hook
) -> None:
    alerting = await watching(books, hook, policy(lanes=LANES), for_=timedelta(days=30))
    for minutes in (200, 195, 190, 10, 5, 0):
        await books.ran("finished", started=ago(minutes=minutes))
    await books.ran("finished", started=ago(days=12), scope="all")
    await books.ran("finished", started=ago(hours=2), scope="all")

    assert await books.look(alerting) == 1

    everything, changed = hook.said[0]["data"]["skipped"]
    assert (everything["scope"], changed["scope"]) == ("all", "changed")
    gone = parse_time(changed["resumed_at"]) - parse_time(changed["due_at"])
    assert round(gone / timedelta(minutes=1)) == 175
    gone = parse_time(everything["resumed_at"]) - parse_time(everything["due_at"])
    assert round(gone / timedelta(hours=1)) == 11 * 24 - 2
    await books.pass_by(timedelta(hours=1))
    assert await books.look(alerting) == 0


async def test_a_run_that_takes_longer_than_its_period_is_no_gap_and_one_that_never_ends_is(
    books: Books, hook: Hook
) -> None:
    alerting = await watching(books, hook, policy(lanes=LANES), for_=timedelta(days=3))
    await books.ran("finished", started=ago(hours=60), took=timedelta(hours=35), scope="all")
    await books.ran("running", started=ago(hours=24, minutes=50), scope="all")
    await books.ran("running", started=ago(minutes=19), took=None)
    assert await books.look(alerting) == 0

    await books.owner.execute(
        "UPDATE runs SET started_at = started_at - interval '3 min' WHERE scope = 'changed'"
    )
    assert await books.look(alerting) == 1

    (gap,) = hook.said[0]["data"]["skipped"]
    assert (gap["scope"], gap["reason"]) == ("changed", "still_running")
    assert "has not ended" in hook.said[0]["data"]["summary"]


async def test_a_gap_behind_a_run_that_went_on_and_on_is_told_as_well(
    books: Books, hook: Hook
) -> None:
    alerting = await watching(books, hook, policy(lanes=LANES), for_=timedelta(hours=3))
    await books.ran("running", started=ago(minutes=30), took=None)
    assert await books.look(alerting) == 1
    await books.pass_by(timedelta(hours=1))
    await books.owner.execute(
        "UPDATE runs SET state = 'finished', finished_at = now() - interval '9 min'"
    )

    assert [await books.look(alerting) for _ in range(2)] == [1, 0]

    reasons = [said["data"]["skipped"][0]["reason"] for said in hook.said]
    assert reasons == ["still_running", "not_started"]


@pytest.mark.parametrize("then", [{}, {"changed": timedelta(hours=1)}])
async def test_a_schedule_that_was_changed_is_watched_from_then_on(
    books: Books, hook: Hook, then: dict[str, timedelta]
) -> None:
    await watching(books, hook, policy(lanes=LANES), for_=timedelta(days=1))
    await books.ran("finished", started=ago(hours=3))
    changed = Alerting(policy=policy(lanes=then), channels=[hook.receiver()])

    assert await books.look(changed) == 0
    # Back to what it was: the hours in which it was not in force are no gap.
    assert await books.look(Alerting(policy=policy(lanes=LANES), channels=[hook.receiver()])) == 0


async def test_a_schedule_that_never_began_is_told(books: Books, hook: Hook) -> None:
    alerting = await watching(books, hook, policy(lanes=LANES), for_=timedelta(minutes=12))

    assert await books.look(alerting) == 1

    (gap,) = hook.said[0]["data"]["skipped"]
    assert (gap["scope"], gap["last_run_id"]) == ("changed", None)
    assert await books.look(alerting) == 0
