"""An incident that stays open is told once, and its wallets are not told one by one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from recon.alerts import Alerting
from recon.clock import new_id
from recon.reconciliation.ignore import ignore
from tests.alerts.conftest import ago
from tests.alerts.plain import policy
from tests.reconciliation.cases import by

if TYPE_CHECKING:
    from tests.alerts.conftest import Books, Hook

# An endpoint that was down: three wallets whose differences are explained by what it did not say.
_SHARED = """
UPDATE discrepancies
SET
    cause = 'missing_webhook', explained = difference, unexplained = 0, incident_id = $1,
    root = 'bank'
"""
_OPENED = """
INSERT INTO incidents (incident_id, cause, root, from_at, until_at, opened_at)
VALUES ($1, 'missing_webhook', 'bank', now() - interval '1 h', now() - interval '50 min', now())
"""


async def test_an_incident_that_stays_open_is_told_once_with_its_sums(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    for user, amount in (("u_1", "5.00"), ("u_2", "7.50"), ("u_3", "10.00")):
        await books.differs(user, amount)
    incident = new_id()
    await books.pool.execute(_OPENED, incident)
    await books.pool.execute(_SHARED, incident)

    assert await books.look(alerting) == 0, "it may heal by itself"
    await books.owner.execute("UPDATE incidents SET opened_at = opened_at - interval '15 min'")
    assert await books.look(alerting) == 1
    await books.pass_by(timedelta(hours=1))
    assert await books.look(alerting) == 0

    (said,) = hook.said
    assert said["type"] == "incidents.opened"
    data = said["data"]
    assert data["summary"] == "3 wallets differ by one root: missing webhook, bank"
    (told,) = data["incidents"]
    assert (told["incident_id"], told["discrepancies"], told["still_open"]) == (str(incident), 3, 3)
    assert told["currencies"] == [
        {"currency": "GBP", "discrepancies": 3, "still_open": 3, "difference": "22.50"}
    ]
    assert told["url"].endswith(f"/discrepancies?status=all&incident_id={incident}")


async def test_one_that_has_healed_is_not_told(books: Books, hook: Hook) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.pool.execute(_OPENED, new_id())
    await books.owner.execute(
        "UPDATE incidents SET opened_at = opened_at - interval '1 h', closed_at = now()"
    )

    assert await books.look(alerting) == 0


async def test_one_that_stops_runs_says_how_many_wallets_differ(books: Books, hook: Hook) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    run_id = await books.ran("incomplete", started=ago(hours=1))
    await books.pool.execute(
        "INSERT INTO incidents (incident_id, cause, root, from_at, until_at, opened_at,"
        " stopped_run_id, looked, differed) VALUES ($1, 'unexplained', 'the game',"
        " now() - interval '1 h', now(), now() - interval '1 h', $2, 500, 480)",
        *(new_id(), run_id),
    )
    await books.look(alerting)

    (said,) = hook.said
    assert said["data"]["summary"] == (
        "Runs are stopped: 480 of 500 wallets of a range differ and nothing explains it"
    )
    (told,) = said["data"]["incidents"]
    assert (told["looked"], told["differed"], told["discrepancies"]) == (500, 480, 0)
    assert told["url"] == "https://recon.example/runs"


async def test_one_of_which_all_is_ignored_is_not_told_until_some_of_it_is_open_again(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    found = [await books.differs(user, "5.00") for user in ("u_1", "u_2", "u_3")]
    incident = new_id()
    await books.pool.execute(_OPENED, incident)
    await books.pool.execute(_SHARED, incident)
    await books.owner.execute("UPDATE incidents SET opened_at = opened_at - interval '1 h'")
    for one in found:
        await ignore(books.pool, one, "known", until=None, step=by("ada"))
    assert await books.look(alerting) == 0

    await books.owner.execute("UPDATE discrepancies SET status = 'open' WHERE user_id = 'u_2'")
    assert [await books.look(alerting) for _ in range(2)] == [1, 0]
