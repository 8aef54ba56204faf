"""The digest tells at its hour what is open, new and healed, with all of it attached."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Final

import pytest
from uuid_utils.compat import uuid7

from recon.alerts import Alerting, AlertType, attachment, find_alerts, send_due
from recon.alerts.rules import digest_slot
from recon.clock import parse_time, taken_from
from recon.reconciliation.export_rows import EXPORT_COLUMNS
from tests.alerts.conftest import ago
from tests.alerts.plain import policy

if TYPE_CHECKING:
    from email.message import EmailMessage
    from uuid import UUID

    from tests.alerts.conftest import Books, Hook, Post

AT: Final = time(7, tzinfo=UTC)
NOW: Final = timedelta(0)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)


@pytest.mark.parametrize(
    ("now", "every", "slot"),
    [
        ("2026-11-23T06:59:59Z", DAY, "2026-11-22T07:00:00Z"),
        ("2026-11-23T07:00:00Z", DAY, "2026-11-23T07:00:00Z"),
        ("2026-11-23T20:00:00Z", timedelta(hours=12), "2026-11-23T19:00:00Z"),
        ("2026-11-22T20:00:00Z", timedelta(days=7), "2026-11-16T07:00:00Z"),  # a Monday
    ],
)
def test_its_hour_is_that_of_the_day_or_of_the_monday(
    now: str, every: timedelta, slot: str
) -> None:
    assert digest_slot(parse_time(now), every, AT) == parse_time(slot)


@dataclass
class Later:
    """A clock that is ahead of this machine's."""

    ahead: timedelta

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def new_id(self) -> UUID:
        return uuid7()


async def look(books: Books, alerting: Alerting, *, ahead: timedelta) -> int:
    """Look for what is to be told at a later hour, and send it now."""
    with taken_from(Later(ahead)):
        found = await find_alerts(books.pool, alerting)
    await send_due(books.pool, alerting)
    return len(found)


@pytest.fixture
def alerting(hook: Hook, post: Post) -> Alerting:
    """A digest each day, the next one in an hour; nothing else is of interest."""
    hour = (datetime.now(UTC) + HOUR).timetz()
    only = policy(digest_every=DAY, digest_at=hour, severities=[])
    return Alerting(
        policy=only,
        channels=[
            hook.receiver(wants=frozenset({AlertType.DIGEST})),
            post.mailbox(wants=frozenset({AlertType.DIGEST})),
        ],
    )


async def test_it_tells_what_is_open_new_and_healed_once(
    books: Books, hook: Hook, post: Post, alerting: Alerting
) -> None:
    assert await look(books, alerting, ahead=NOW) == 0, "the first hour only begins it"
    await books.differs("u_1", "10.00")
    await books.differs("u_2", "700", currency="JPY")
    await books.differs("u_3", "4.00")
    await books.cases.agrees("u_3")
    await books.differs("u_4", "9.00", currency="EUR")
    await books.cases.agrees("u_4", "EUR")
    await books.differs("u_4", "9.00", currency="EUR")
    await books.ran("incomplete", started=ago(minutes=1))
    await books.ran("finished", started=ago(minutes=2))

    ahead = [timedelta(minutes=59), 2 * HOUR, 2 * HOUR, 24 * HOUR]
    assert [await look(books, alerting, ahead=span) for span in ahead] == [0, 1, 0, 0]

    (said,) = hook.said
    data = said["data"]
    assert said["type"] == "digest"
    assert data["summary"] == "3 discrepancies open, 4 new, 1 healed"
    assert parse_time(data["until"]) - parse_time(data["since"]) == DAY
    assert data["runs"] == {"finished": 1, "incomplete": 1, "failed": 0}
    eur, gbp, jpy = data["currencies"]
    assert (eur["open"], eur["new"], eur["reopened"], eur["healed"]) == (1, 1, 1, 0)
    assert gbp == {
        "currency": "GBP",
        "open": 1,
        "open_unexplained": 1,
        "difference": "10.00",
        "unexplained": "10.00",
        "new": 2,
        "new_difference": "14.00",
        "reopened": 0,
        "healed": 1,
        "healed_by_itself": 1,
        "healed_difference": "4.00",
    }
    assert (jpy["currency"], jpy["open"], jpy["new"], jpy["unexplained"]) == ("JPY", 1, 1, "700")

    (letter,) = post.letters
    (file,) = letter.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("discrepancies.csv", "text/csv")
    rows = [*csv.DictReader(io.StringIO(str(file.get_content())))]
    assert [*rows[0]] == [*EXPORT_COLUMNS]
    assert {(row["user_id"], row["difference"]) for row in rows} == {
        ("u_1", "10.00"),
        ("u_2", "700"),
        ("u_4", "9.00"),
    }
    assert rows[0]["url"].startswith("https://recon.example/discrepancies/")
    assert "Attached: discrepancies.csv, all that is open." in words_of(letter)

    # The next day tells only of what is new since; what is open stays open.
    assert await look(books, alerting, ahead=26 * HOUR) == 1
    assert hook.said[1]["data"]["summary"] == "3 discrepancies open, 0 new, 0 healed"


async def test_a_day_on_which_there_is_nothing_has_none_and_its_hour_is_over(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    await look(books, alerting, ahead=NOW)
    assert await look(books, alerting, ahead=2 * HOUR) == 0
    await books.differs("u_1", "10.00")

    assert await look(books, alerting, ahead=3 * HOUR) == 0, "it belongs to the next one"
    assert await look(books, alerting, ahead=26 * HOUR) == 1
    assert len(hook.calls) == 1


async def test_one_that_nobody_was_there_to_send_comes_late_and_tells_of_all_that_time(
    books: Books, hook: Hook, alerting: Alerting
) -> None:
    await look(books, alerting, ahead=NOW)
    await books.differs("u_1", "10.00")

    assert await look(books, alerting, ahead=80 * HOUR) == 1

    data = hook.said[0]["data"]
    assert (data["new"], data["open"]) == (1, 1)
    assert parse_time(data["until"]) - parse_time(data["since"]) == 4 * DAY


async def test_too_much_for_a_letter_is_attached_in_part_and_said(
    books: Books, post: Post, alerting: Alerting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachment, "_MOST_BYTES", 350_000)
    await look(books, alerting, ahead=NOW)
    await books.differs("player_1", "10.00")
    await books.many(1200)
    assert await look(books, alerting, ahead=2 * HOUR) == 1

    (letter,) = post.letters
    (file,) = letter.iter_attachments()
    rows = [*csv.DictReader(io.StringIO(str(file.get_content())))]
    assert len(rows) in {500, 1000}
    assert all(len(row) == len(EXPORT_COLUMNS) and row["url"] for row in rows)
    assert "a part of what is open" in words_of(letter)
    assert "1180 more are not shown one by one." in words_of(letter)


def words_of(letter: EmailMessage) -> str:
    body = letter.get_body(preferencelist=("plain",))
    assert body is not None
    return str(body.get_content())
