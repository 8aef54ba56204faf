"""What is old goes, and nothing that was told is ever told again because of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from recon.alerts import Alerting, find_alerts, forget_alerts, tell_broken_chain
from recon.clock import new_id
from tests.alerts.conftest import ago
from tests.alerts.plain import policy

if TYPE_CHECKING:
    from tests.alerts.conftest import Books, Hook

KEEP = timedelta(days=400)
FIVE = timedelta(minutes=5)


async def left(books: Books) -> tuple[int, int, list[tuple[str, int]]]:
    """Messages, deliveries, and the kinds of what is known to have been told, with generations."""
    rows = await books.pool.fetch(
        "SELECT kind, generation FROM alert_subjects WHERE kind <> 'watch' ORDER BY 1, 2"
    )
    return (
        await books.pool.fetchval("SELECT count(*) FROM alerts"),
        await books.pool.fetchval("SELECT count(*) FROM alert_deliveries"),
        [(row["kind"], row["generation"]) for row in rows],
    )


async def test_messages_go_and_what_still_stands_is_not_told_again(
    books: Books, hook: Hook
) -> None:
    """A difference that stands, an incident that is open, a schedule that never came back."""
    rules = policy(lanes={"changed": FIVE}, keep=KEEP)
    alerting = Alerting(policy=rules, channels=[hook.receiver()])
    await find_alerts(books.pool, alerting)
    await books.watched_for(timedelta(days=500))
    await books.differs("u_1", "10.00")
    await books.ran("finished", started=ago(days=450))
    incident = new_id()
    await books.pool.execute("UPDATE discrepancies SET incident_id = $1", incident)
    await books.pool.execute(
        "INSERT INTO incidents (incident_id, cause, root, from_at, until_at, opened_at)"
        " VALUES ($1, 'missing_webhook', 'bank', now(), now(), now() - interval '1 h')",
        incident,
    )
    await books.pool.execute(
        "INSERT INTO verifications (verification_id, state, finished_at, faults)"
        ' VALUES ($1, \'faulty\', now(), \'[{"check": "c", "user_id": "u",'
        ' "currency": "", "detail": "d"}]\')',
        new_id(),
    )
    assert await books.look(alerting) == 4
    await books.pass_by(timedelta(hours=1))
    await books.differs("u_1", "20.00")  # twice as much: its second telling
    assert await books.look(alerting) == 1
    stand = [("discrepancy", 1), ("discrepancy", 2)]
    others = [("incident", 1), ("schedule", 1), ("verification", 1)]

    await books.pass_by(KEEP - timedelta(days=1))
    await forget_alerts(books.pool, rules)
    assert await left(books) == (5, 5, [*stand, *others])
    await books.pass_by(timedelta(days=2))
    await forget_alerts(books.pool, rules)

    assert await left(books) == (0, 0, [stand[1], *others])
    assert await books.look(alerting) == 0
    assert len(hook.calls) == 5


async def test_what_cannot_be_found_again_is_forgotten_as_well(books: Books, hook: Hook) -> None:
    rules = policy(lanes={"changed": FIVE}, keep=KEEP)
    alerting = Alerting(policy=rules, channels=[hook.receiver()])
    await find_alerts(books.pool, alerting)
    await books.watched_for(timedelta(days=2))
    await books.differs("u_1", "10.00")
    await books.ran("failed", started=ago(minutes=30))
    assert await tell_broken_chain(books.pool, alerting, "seal 7 is gone") is not None
    assert await books.look(alerting) == 3
    await books.cases.agrees("u_1")
    await books.pass_by(2 * KEEP)
    await books.owner.execute("UPDATE discrepancies SET closed_at = now() - interval '500 days'")
    await books.owner.execute(
        "UPDATE runs SET started_at = started_at - interval '800 days',"
        " finished_at = finished_at - interval '800 days'"
    )
    await books.ran("finished", started=ago(days=20))
    await books.ran("finished", started=ago(minutes=1))
    await forget_alerts(books.pool, rules)

    assert await left(books) == (0, 0, [])


async def test_what_is_on_its_way_is_not_forgotten_nor_is_anything_where_nobody_wants_it(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(keep=None), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")
    await find_alerts(books.pool, alerting)
    await books.pass_by(2 * KEEP)
    await forget_alerts(books.pool, policy(keep=KEEP))
    assert await left(books) == (1, 1, [("discrepancy", 1)])

    await books.look(alerting)
    await forget_alerts(books.pool, alerting.policy)
    assert await left(books) == (1, 1, [("discrepancy", 1)])
    await forget_alerts(books.pool, policy(keep=KEEP))
    assert await left(books) == (0, 0, [("discrepancy", 1)])
