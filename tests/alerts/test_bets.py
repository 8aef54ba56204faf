"""A bet that waits for people is told once, and not at all where the game answers in time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from recon.alerts import Alerting, forget_alerts
from recon.clock import new_id
from tests.alerts.plain import policy

if TYPE_CHECKING:
    from tests.alerts.conftest import Books, Hook, Post


async def shown(books: Books, user: str, kind: str = "payout_failed", amount: int = 1000) -> str:
    """A bet that people were shown just now; its id."""
    bet_id = str(new_id())
    await books.pool.execute(
        "INSERT INTO cases (case_id, kind, reference, user_id, currency, amount, reason)"
        " VALUES ($1, $2, $3, $4, 'GBP', $5, 'it <failed>')",
        *(new_id(), kind, bet_id, user, amount),
    )
    return bet_id


async def later(books: Books) -> None:
    """A quarter of an hour later, and past what lies between two messages."""
    await books.owner.execute("UPDATE cases SET opened_at = opened_at - interval '15 min'")
    await books.pass_by(timedelta(hours=1))


async def test_cases_of_bets_that_stay_open_are_told_once_in_one_message(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    first = await shown(books, "u_1")
    await shown(books, "u_2", "unresolved_bet", amount=250)
    await shown(books, "u_3", "payment_overdue")
    assert await books.look(alerting) == 0, "the game may answer yet"
    await later(books)
    assert await books.look(alerting) == 1
    await later(books)
    assert await books.look(alerting) == 0

    (said,) = hook.said
    assert said["type"] == "bets.waiting"
    data = said["data"]
    assert data["summary"] == "2 cases of bets wait for people: stakes of 12.50 GBP"
    assert (data["count"], data["currencies"], data["not_shown"]) == (
        2,
        [{"currency": "GBP", "stakes": "12.50"}],
        0,
    )
    assert [one["kind"] for one in data["bets"]] == ["payout_failed", "unresolved_bet"]
    assert (data["bets"][0]["bet_id"], data["bets"][0]["stake"]) == (first, "10.00")
    assert data["bets"][0]["url"].endswith(f"/bets/{first}")


async def test_one_that_closed_in_time_is_not_told_and_one_that_is_opened_again_is(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await shown(books, "u_1")
    await books.pool.execute("UPDATE cases SET state = 'closed'")
    await later(books)
    assert await books.look(alerting) == 0

    await shown(books, "u_1")
    await later(books)
    assert await books.look(alerting) == 1
    assert hook.said[0]["data"]["summary"] == (
        "1 case of bets waits for people: stakes of 10.00 GBP"
    )


async def test_that_it_was_told_is_known_for_as_long_as_its_case_is_open(
    books: Books, hook: Hook
) -> None:
    rules = policy(keep=timedelta(days=40))
    alerting = Alerting(policy=rules, channels=[hook.receiver()])
    await shown(books, "u_1")
    await later(books)
    await books.look(alerting)
    known = "SELECT count(*) FROM alert_subjects WHERE kind = 'bet'"

    await books.pass_by(timedelta(days=41))
    await forget_alerts(books.pool, rules)
    assert await books.pool.fetchval(known) == 1
    assert await books.look(alerting) == 0
    await books.pool.execute("UPDATE cases SET state = 'closed'")
    await forget_alerts(books.pool, rules)

    assert await books.pool.fetchval(known) == 0


async def test_thousands_are_one_message(books: Books, hook: Hook) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.pool.execute(
        "INSERT INTO cases (case_id, kind, reference, user_id, currency, amount, reason)"
        " SELECT gen_random_uuid(), 'unresolved_bet', gen_random_uuid()::text, 'u_' || n, 'GBP', 1,"
        " 'no answer' FROM generate_series(1, 3000) AS n"
    )
    await later(books)

    assert await books.look(alerting) == 1
    (said,) = hook.said
    assert (said["data"]["count"], len(said["data"]["bets"]), said["data"]["not_shown"]) == (
        3000,
        20,
        2980,
    )


async def test_a_letter_shows_them_as_a_table(books: Books, post: Post) -> None:
    alerting = Alerting(policy=policy(), channels=[post.mailbox()])
    bet_id = await shown(books, "u_1")
    await later(books)
    await books.look(alerting)

    (letter,) = post.letters
    assert "1 case of bets waits for people" in str(letter["Subject"])
    body = letter.get_body(("plain",))
    assert body is not None
    assert bet_id in body.get_content()
    assert "it <failed>" in body.get_content()
