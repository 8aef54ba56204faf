"""The service verifies its books by the clock, once each time, and keeps what it found."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recon.clock import now
from recon.seals import Verifier, forget_verifications

if TYPE_CHECKING:
    from uuid import UUID

    from tests.seals.conftest import Book

SOON = timedelta(milliseconds=1)
DAY = timedelta(days=1)


def verifier(book: Book, every: timedelta) -> Verifier:
    return Verifier(pool=book.pool, keys=book.keys, anchor=None, every=every)


async def found(book: Book) -> list[tuple[str, int]]:
    """(state, faults) of each, oldest first."""
    rows = await book.pool.fetch("SELECT * FROM verifications ORDER BY started_at")
    return [(row["state"], len(row["faults"])) for row in rows]


async def under_way(book: Book) -> UUID:
    one: UUID = await book.pool.fetchval(
        "SELECT verification_id FROM verifications WHERE state = 'running'"
    )
    return one


async def jobs(book: Book) -> list[Any]:
    return [*await book.pool.fetch("SELECT id FROM pgqueuer WHERE entrypoint = 'verify'")]


async def test_the_first_is_due_once_the_first_seal_is_old_and_the_next_after_that(
    sealed: Book,
) -> None:
    await verifier(sealed, DAY).begin()
    assert await found(sealed) == []

    await verifier(sealed, SOON).begin()
    await verifier(sealed, SOON).begin()
    assert (await found(sealed), len(await jobs(sealed))) == ([("running", 0)], 1)
    await verifier(sealed, SOON).verify(await under_way(sealed))
    await verifier(sealed, DAY).begin()
    assert await found(sealed) == [("holds", 0)]

    # A day later, by the book; the time of a clock that was a year ahead is no reason to wait.
    for moved in (-DAY, 365 * DAY):
        await sealed.pool.execute(
            "UPDATE verifications SET started_at = clock_timestamp() + $1::interval", moved
        )
        await verifier(sealed, SOON).begin()
        await verifier(sealed, SOON).verify(await under_way(sealed))
    assert await found(sealed) == [("holds", 0)] * 3


async def test_what_does_not_hold_is_kept(sealed: Book) -> None:
    await sealed.rewrite("UPDATE movements SET amount = amount + 1 WHERE user_id = 'u_2'")
    await verifier(sealed, SOON).begin()
    await verifier(sealed, SOON).verify(await under_way(sealed))

    ((state, count),) = await found(sealed)
    assert (state, count > 0) == ("faulty", True)
    faults = await sealed.pool.fetchval("SELECT faults FROM verifications")
    assert "movement changed" in {fault["check"] for fault in faults}
    assert {*faults[0]} == {"check", "user_id", "currency", "detail"}


async def test_one_whose_worker_is_gone_goes_on_and_one_that_never_ends_is_given_up(
    sealed: Book,
) -> None:
    await verifier(sealed, SOON).begin()
    await sealed.pool.execute("DELETE FROM pgqueuer")  # a job that ended badly
    await verifier(sealed, SOON).begin()
    assert (await found(sealed), len(await jobs(sealed))) == ([("running", 0)], 1)

    one = await under_way(sealed)
    await verifier(sealed, SOON).give_up(one)
    await verifier(sealed, SOON).verify(one)  # a worker that was thought to be dead
    assert await found(sealed) == [("failed", 0)]


@pytest.mark.parametrize(("rows", "kept"), [(99, 99), (120, 100)])
async def test_old_ones_are_forgotten_but_for_the_newest(book: Book, rows: int, kept: int) -> None:
    await book.pool.execute(
        "INSERT INTO verifications (verification_id, state, started_at, finished_at)"
        " SELECT gen_random_uuid(), 'holds', now() - n * interval '1 h', now()"
        " FROM generate_series(1, $1) AS n",
        rows,
    )
    await forget_verifications(book.pool, now())

    assert await book.pool.fetchval("SELECT count(*) FROM verifications") == kept
    oldest = await book.pool.fetchval("SELECT min(started_at) FROM verifications")
    assert round((now() - oldest) / timedelta(hours=1)) == kept
