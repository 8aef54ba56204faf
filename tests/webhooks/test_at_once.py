"""A commit in one call: what it takes, what it leaves to the longer way, and that both agree.

The same stories every time, from a fixed seed; ``RECON_STORIES`` tells more of them.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from datetime import timedelta
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from recon.clock import format_time, new_id, now
from recon.db import open_pool
from recon.ledger import post_one, rules, verify_books
from recon.money import Money
from recon.payments import Direction, ExpectedPayment, PaymentState, find_payments
from recon.webhooks import Delivery, Event, Kind, receive, register_payment, verify_call
from recon.webhooks.book import book_at_once
from tests.webhooks.conftest import ENDPOINTS, T0, standard_headers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recon.db import Pool
    from recon.payments import Payment

# Not by attribute: the package has functions of these names.
DOOR = import_module("recon.webhooks.receive")
ROOM = import_module("recon.webhooks.book")

STORIES = int(os.environ.get("RECON_STORIES", "30"))
Ways = Counter[str]


def delivery(
    kind: str = "deposit.succeeded",
    *,
    event_id: str | None = None,
    also_known_as: str | None = None,
    at: int = 0,
    **data: str | None,
) -> Delivery:
    """A verified delivery of an event that says this."""
    document = {
        "type": kind,
        "timestamp": format_time(T0 + timedelta(seconds=at)),
        "data": {"amount": "20.00", "currency": "GBP"} | data,
    }
    body = json.dumps(document).encode()
    (made,) = verify_call(ENDPOINTS["standard"], standard_headers(body, event_id), body, now())
    assert isinstance(made.event, Event)
    # A name that only Stripe tells.
    return replace(made, event=replace(made.event, also_known_as=also_known_as))


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    """How many commits went which way."""
    counted: Ways = Counter()

    async def at_once(connection: Any, deliveries: Sequence[Delivery]) -> Any:  # noqa: ANN401
        outcomes = await book_at_once(connection, deliveries)
        counted["at once" if outcomes is not None else "longer"] += 1
        return outcomes

    monkeypatch.setattr(DOOR, "book_at_once", at_once)
    return counted


async def test_a_batch_of_which_nothing_is_known_is_one_statement(database_url: str) -> None:
    async with open_pool(database_url, max_size=1) as pool:
        await receive(pool, [delivery(payment_id="p", user_id="u")])
        said: list[str] = []
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: said.append(query.query))
        outcomes = await receive(
            pool, [delivery(payment_id=f"p{n}", user_id=f"u{n}") for n in range(40)]
        )
        await pool.execute("SELECT 'the loggers are called soon'")

    assert {outcome.state for outcome in outcomes} == {"booked"}
    assert ["intake_take" in query for query in said] == [True, False]


async def test_what_is_registered_is_looked_at_before_and_booked_in_one_call(
    pool: Pool, ways: Ways
) -> None:
    for number in range(20):
        await register(pool, f"ref-{number}", user="u_9")

    outcomes = await receive(
        pool, [delivery(payment_id=f"p{n}", reference=f"ref-{n}") for n in range(20)]
    )

    assert {outcome.state for outcome in outcomes} == {"booked"}
    assert ways == {"at once": 1}
    assert await available(pool, "u_9") == 40_000
    assert await pool.fetchval("SELECT count(*) FROM payments WHERE state = 'succeeded'") == 20


@pytest.mark.parametrize(
    ("known", "arriving", "state"),
    [
        ([{"event_id": "m1"}], {"event_id": "m1"}, "repeated"),
        (
            [{"kind": "deposit.pending", "event_id": "m1"}],
            {"kind": "deposit.pending", "event_id": "m1"},
            "repeated",
        ),
        ([{}], {"event_id": "m2"}, "repeated"),
        ([{}], {"kind": "deposit.refunded", "effect_id": "rf"}, "booked"),
        ([{"kind": "deposit.refunded", "effect_id": "rf"}], {}, "booked"),
        ([{"kind": "deposit.refunded", "effect_id": "rf", "user_id": None}], {}, "booked"),
        ([{"kind": "deposit.failed", "reference": "ref-9"}], {}, "booked"),
        ([{"payment_id": "pi", "also_known_as": "p1"}], {"kind": "deposit.refunded"}, "booked"),
        ([], {"user_id": None}, "suspended"),
    ],
    ids=[
        "the same event",
        "the same event, which moves nothing",
        "the same movement",
        "a refund of what is booked",
        "a deposit that is refunded already",
        "a deposit that a refund waits for",
        "a deposit that is said to have failed",
        "a payment under its other name",
        "money of nobody",
    ],
)
async def test_where_more_is_known_it_is_decided_under_the_locks(
    pool: Pool, ways: Ways, known: list[dict[str, Any]], arriving: dict[str, Any], state: str
) -> None:
    fixed = {"payment_id": "p1", "user_id": "u"}
    for one in known:
        await receive(pool, [delivery(**(fixed | one))])
    ways.clear()

    neighbour = delivery(payment_id="p0", user_id="u_0")
    again = delivery(**(fixed | arriving))
    outcomes = await receive(pool, [again, neighbour])

    assert ways == {"longer": 1}
    assert [outcome.state for outcome in outcomes] == [state, "booked"]
    assert (await verify_books(pool)).faults == []


async def test_a_payment_registered_after_the_look_gets_its_player(
    pool: Pool, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(pool, "ref-1", user="u_9")
    looks = late_for_the_first_look(monkeypatch, lambda _: [])

    # Its bytes name another player; it must not be booked as if nothing were registered.
    (outcome,) = await receive(
        pool, [delivery(payment_id="p1", reference="ref-1", user_id="u_other")]
    )

    assert looks == [1]
    assert ways == {"longer": 1}
    assert (outcome.state, outcome.reason) == (
        "suspended",
        "it is registered for another player",
    )
    assert await available(pool, "u_other") == 0


async def test_a_payment_reported_after_the_look_is_decided_about_as_it_is(
    pool: Pool, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(pool, "ref-1", direction="withdrawal", user="u_9", funds="50.00")
    seen: list[Payment] = []
    async with pool.acquire() as connection:
        seen += await find_payments(
            connection, endpoints=["standard"], references=["ref-1"], payment_ids=[None]
        )
    await receive(
        pool, [delivery("withdrawal.failed", payment_id="out-1", reference="ref-1", effect_id="x")]
    )
    ways.clear()
    late_for_the_first_look(monkeypatch, lambda _: seen)

    await receive(pool, [delivery("withdrawal.paid", payment_id="out-2", reference="ref-1")])

    assert ways == {"longer": 1}
    # The reservation was given back, and the payout that was made all the same is taken.
    assert await available(pool, "u_9") == 3000
    assert (await verify_books(pool)).faults == []


async def test_a_payment_that_is_known_by_the_id_of_the_psp_alone_gets_its_player(
    pool: Pool, ways: Ways
) -> None:
    await register(pool, "ref-1", user="u_9")
    await receive(pool, [delivery("deposit.pending", payment_id="p1", reference="ref-1")])
    ways.clear()

    # It tells no reference, so that nothing is looked for before the locks.
    (outcome,) = await receive(pool, [delivery(payment_id="p1", user_id="u_other")])

    assert ways == {"longer": 1}
    assert (outcome.state, outcome.reason) == ("suspended", "it is registered for another player")
    assert await available(pool, "u_other") == 0


@pytest.mark.parametrize("earlier", [{"state": PaymentState.PENDING}, {"payment_id": None}])
async def test_a_payment_that_another_has_fulfilled_after_the_look_is_not_booked_to_the_player(
    pool: Pool, ways: Ways, monkeypatch: pytest.MonkeyPatch, earlier: dict[str, Any]
) -> None:
    await register(pool, "ref-1", user="u_9")
    await receive(pool, [delivery(payment_id="p1", reference="ref-1")])
    ways.clear()
    late_for_the_first_look(monkeypatch, lambda seen: [replace(one, **earlier) for one in seen])

    (outcome,) = await receive(pool, [delivery(payment_id="p2", reference="ref-1")])

    assert ways == {"longer": 1}
    assert (outcome.state, outcome.reason) == (
        "suspended",
        "another payment of this registration succeeded already",
    )
    assert await available(pool, "u_9") == 2000


async def test_a_payment_that_is_not_the_one_of_the_look_is_decided_about_as_it_is(
    pool: Pool, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    await register(pool, "ref-1", user="u_9")
    late_for_the_first_look(
        monkeypatch, lambda seen: [replace(one, reference="ref-2") for one in seen]
    )

    (outcome,) = await receive(
        pool, [delivery(payment_id="p1", reference="ref-1", user_id="u_other")]
    )

    assert ways == {"longer": 1}
    assert outcome.state == "suspended"
    assert await available(pool, "u_other") == 0


async def test_what_the_ledger_refuses_is_not_written_and_its_neighbour_is_booked(
    pool: Pool, ways: Ways
) -> None:
    # Cannot happen under the locks; were it to happen, this is how it would look.
    other = rules.fact_for_player(
        "u",
        Money(1, "GBP"),
        kind="deposit.succeeded",
        source="psp:standard",
        key="p1:deposit",
        event_at=T0,
    )
    async with pool.acquire() as connection, connection.transaction():
        await post_one(connection, other)

    outcomes = await receive(
        pool, [delivery(payment_id="p1", user_id="u"), delivery(payment_id="p2", user_id="u_2")]
    )

    assert ways == {"longer": 1}
    assert [(outcome.state, outcome.reason) for outcome in outcomes] == [
        ("quarantined", "the ledger says conflict"),
        ("booked", None),
    ]
    assert await pool.fetchval("SELECT count(*) FROM movements") == 1
    assert (await available(pool, "u"), await available(pool, "u_2")) == (1, 2000)


@pytest.mark.parametrize("way", ["at once", "longer"])
@pytest.mark.parametrize("level", ["read committed", "repeatable read", "serializable"])
async def test_a_registration_under_way_is_waited_for_and_seen_whatever_the_default_isolation(
    database_url: str, owner: Pool, monkeypatch: pytest.MonkeyPatch, level: str, way: str
) -> None:
    if way == "longer":
        monkeypatch.setattr(DOOR, "book_at_once", AsyncMock(return_value=None))
    name = urlsplit(database_url).path.removeprefix("/")
    await owner.execute(f"ALTER DATABASE {name} SET default_transaction_isolation = '{level}'")
    async with open_pool(database_url) as pool:
        await receive(pool, [delivery(payment_id="p1", user_id="u_9", amount="50.00")])
        async with owner.acquire() as holder, holder.transaction():
            await holder.execute("SELECT FROM wallets WHERE user_id = 'u_9' FOR UPDATE")
            registering = asyncio.create_task(
                register(pool, "ref-1", direction="withdrawal", user="u_9")
            )
            await until_waiting(owner, 1)
            failed = delivery("withdrawal.failed", payment_id="out-1", reference="ref-1")
            receiving = asyncio.create_task(receive(pool, [failed]))
            await until_waiting(owner, 2)
        await registering
        (outcome,) = await receiving

        assert (outcome.state, outcome.reason) == ("booked", None)
        assert await available(pool, "u_9") == 5000, "the reservation was given back"


async def test_what_is_committed_in_one_call_is_durable_also_where_the_default_is_less(
    pool: Pool, owner: Pool, ways: Ways
) -> None:
    assert await pool.fetchval("SHOW synchronous_commit") == "off"
    # It tells what is set as the transaction commits.
    await owner.execute(
        """
        CREATE TABLE committed (event_id text, synchronous text);
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            INSERT INTO public.committed
            VALUES (new.event_id, current_setting('synchronous_commit'));
            RETURN NULL;
        END
        $$;
        CREATE CONSTRAINT TRIGGER deliveries_tell AFTER INSERT ON deliveries
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();
        """
    )

    await receive(pool, [delivery(payment_id="p1", user_id="u", event_id="m1")])

    assert ways == {"at once": 1}
    assert [tuple(row) for row in await owner.fetch("SELECT * FROM committed")] == [("m1", "on")]


async def test_two_tellers_of_a_payment_at_the_same_time_book_it_once(pool: Pool) -> None:
    told = [
        [delivery(payment_id=f"p{n}", user_id=f"u{n % 3}") for n in range(50)] for _ in range(4)
    ]
    for number, batch in enumerate(told):
        Random(number).shuffle(batch)  # noqa: S311 - a story

    taken = await asyncio.gather(*(receive(pool, batch) for batch in told))

    states = Counter(outcome.state for batch in taken for outcome in batch)
    assert states == {"booked": 50, "repeated": 150}
    assert [await available(pool, f"u{n}") for n in range(3)] == [34_000, 34_000, 32_000]


async def test_both_ways_come_to_the_same_end_in_every_story(
    pool: Pool, ways: Ways, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = DOOR.book_at_once

    async def never(connection: object, deliveries: object) -> None:
        del connection, deliveries

    states: Counter[str] = Counter()
    for seed in range(STORIES):
        ends = []
        for prefix, way in ((f"a{seed}_", counted), (f"b{seed}_", never)):
            monkeypatch.setattr(DOOR, "book_at_once", way)
            states += await tell(pool, Random(seed), prefix)  # noqa: S311 - a story
            ends.append(await end_of(pool, prefix))
        assert ends[0] == ends[1], f"story {seed}"

    print(f"{STORIES} stories twice: {dict(ways)}; {dict(states)}")  # noqa: T201 - shown with -s
    assert ways["at once"] > STORIES
    assert ways["longer"] > STORIES
    assert {"booked", "repeated", "ignored", "waiting", "suspended", "quarantined"} <= states.keys()
    assert (await verify_books(pool)).faults == []


async def register(
    pool: Pool,
    reference: str,
    *,
    direction: str = "deposit",
    user: str = "u_7",
    amount: str = "20.00",
    funds: str | None = None,
) -> None:
    if funds is not None:
        await receive(
            pool,
            [
                delivery(
                    event_id=f"f-{reference}",
                    payment_id=f"f-{reference}",
                    user_id=user,
                    amount=funds,
                )
            ],
        )
    await register_payment(
        pool, ExpectedPayment(reference, "standard", Direction(direction), user, amount, "GBP")
    )


async def until_waiting(pool: Pool, count: int) -> None:
    """Until so many of this database wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    async with asyncio.timeout(60):
        while await pool.fetchval(waiting) < count:  # noqa: ASYNC110 - Postgres sets no event
            await asyncio.sleep(0.002)


async def available(pool: Pool, user: str) -> int:
    return int(
        await pool.fetchval(
            "SELECT coalesce(sum(available), 0) FROM wallets WHERE user_id = $1", user
        )
    )


def late_for_the_first_look(
    monkeypatch: pytest.MonkeyPatch, seen: Callable[[list[Payment]], list[Payment]]
) -> list[int]:
    """The look before the locks sees what ``seen`` makes of what is there."""
    looks = [0]

    async def look(connection: Any, **named: Any) -> list[Payment]:  # noqa: ANN401
        looks[0] += 1
        return seen(await find_payments(connection, **named))

    monkeypatch.setattr(ROOM, "find_payments", look)
    return looks


async def tell(pool: Pool, random: Random, prefix: str) -> Counter[str]:
    """Live through a story; the states that its deliveries came into."""
    states: Counter[str] = Counter()
    kinds = ["something.else", *map(str, Kind)]
    weights = [1, *(6 if kind == Kind.DEPOSIT_SUCCEEDED else 2 for kind in Kind)]
    sent: list[Delivery] = []
    registered = 0
    for at in range(random.randint(4, 9)):
        if random.random() < 0.4:
            direction = random.choice(["deposit", "deposit", "withdrawal"])
            user = f"{prefix}u{random.randrange(3)}"
            registered += 1
            await register(
                pool,
                f"{prefix}ref{registered}",
                direction=direction,
                user=user,
                funds="500.00" if direction == "withdrawal" else None,
            )
        batch: list[Delivery] = []
        for _ in range(random.choice([1, 1, 2, 5, 9])):
            if sent and random.random() < 0.1:
                batch.append(replace(random.choice(sent), delivery_id=new_id()))
                continue
            fresh = random.random() < 0.5
            payment = f"n{len(sent)}" if fresh else f"p{random.randrange(5)}"
            named = random.random() < 0.7
            one = delivery(
                "deposit.succeeded" if fresh else random.choices(kinds, weights)[0],
                event_id=f"{prefix}e{len(sent)}",
                payment_id=prefix + payment,
                user_id=f"{prefix}u{random.randrange(3)}" if named else None,
                reference=(
                    f"{prefix}ref{random.randint(1, registered + 1)}"
                    if random.random() < (0.9 if registered and not fresh else 0.2)
                    else None
                ),
                effect_id=random.choice([None, f"{prefix}x{random.randrange(4)}"]),
                amount=random.choice(["20.00", "20.00", "20.00", "5.00"]),
                at=at * 10 + random.randrange(20),
            )
            sent.append(one)
            batch.append(one)
        states.update(outcome.state for outcome in await receive(pool, batch))
    return states


async def end_of(pool: Pool, prefix: str) -> list[tuple[str, str]]:
    """Every row of a story, without what differs from telling to telling."""
    like = f"%{prefix}%"
    found = []
    for table, row in (
        ("deliveries", "(event_id, state, reason, user_id, reference, amount)"),
        ("delivery_repeats", "(event_id, same_bytes)"),
        ("movements", "(object_id, effect, payment_id, also_known_as, user_id, amount, event_at)"),
        ("postings", "(user_id, version, debit, credit, amount, kind, key, available_after)"),
        ("wallets", "(user_id, available, held, reserved, version)"),
        ("payments", "(reference, state, payment_id)"),
        ("cases", "(kind, reference, user_id, amount, reason, state)"),
    ):
        rows = await pool.fetch(
            f"SELECT row{row}::text AS text FROM {table} WHERE row{row}::text LIKE $1",  # noqa: S608
            like,
        )
        found += sorted((table, text["text"].replace(prefix, "")) for text in rows)
    return found
