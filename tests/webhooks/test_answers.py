"""Every row of the contract's table of answers."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from recon.db import open_pool
from recon.http.flood import FloodGate
from recon.http.problems import problem_middleware
from recon.webhooks import DRAIN, INTAKE, Drain, Intake
from recon.webhooks.handlers import routes
from tests.webhooks.conftest import (
    ADYEN_OLD,
    ENDPOINTS,
    STANDARD_SECRET,
    STRIPE_OLD,
    adyen_body,
    item,
    payment_intent,
    standard_headers,
    stripe_body,
    stripe_headers,
)

if TYPE_CHECKING:
    from aiohttp import ClientResponse

    from recon.db import Pool
    from tests.webhooks.conftest import Door

EVENT = stripe_body("payment_intent.succeeded", payment_intent(user_id="u_7"), event_id="evt_1")


async def problem(response: ClientResponse) -> tuple[int, str]:
    """Status and code of a problem document."""
    assert response.content_type == "application/problem+json"
    document = await response.json(content_type=None)
    assert document["status"] == response.status
    return response.status, document["code"]


async def test_the_answer_names_the_delivery_and_its_state(door: Door) -> None:
    response = await door.post("stripe", EVENT, stripe_headers(EVENT))

    assert response.status == 200
    answer = await response.json()
    assert (answer["event_id"], answer["state"]) == ("evt_1", "booked")
    kept = await door.last()
    assert str(kept.delivery_id) == answer["delivery_id"]
    assert kept.headers.keys() >= {"Content-Type", "Stripe-Signature"}


async def test_the_raw_bytes_and_the_key_that_verified_are_kept(door: Door) -> None:
    await door.post("stripe", EVENT, stripe_headers(EVENT, secret=STRIPE_OLD))

    row = await door.pool.fetchrow("SELECT body, body_sha256, verified_by FROM deliveries")
    assert row["body"] == EVENT
    assert len(row["body_sha256"]) == 32
    assert row["verified_by"].startswith("key:1:")
    assert STRIPE_OLD not in row["verified_by"]


@pytest.mark.parametrize(
    "event_type", ["customer.created", "charge.refunded", "payment_intent.canceled"]
)
async def test_a_type_that_moves_no_money_is_kept_and_ignored(door: Door, event_type: str) -> None:
    assert await door.stripe(event_type, {"id": "x", "object": "y"}) == "ignored"


MALFORMED: list[tuple[str, dict[str, str]]] = [
    ("stripe", {}),
    ("stripe", {"Stripe-Signature": "nonsense"}),
    ("stripe", {"Stripe-Signature": "t=1,t=2,v1=aa"}),
    ("stripe", {"Stripe-Signature": "t=soon,v1=aa"}),
    ("stripe", {"Stripe-Signature": "t=1767225600,v0=aa"}),
    ("standard", {}),
    (
        "standard",
        {"webhook-id": "m", "webhook-timestamp": "1767225600", "webhook-signature": "v1,!"},
    ),
    ("adyen", {}),
]


async def test_a_signature_that_is_missing_or_malformed_is_400(door: Door) -> None:
    for endpoint, headers in MALFORMED:
        response = await door.post(endpoint, EVENT, headers)
        assert await problem(response) == (400, "signature_malformed"), headers

    assert await door.inbox() == []


async def test_a_wrong_signature_is_401(door: Door) -> None:
    standard = standard_headers(EVENT, secret="whsec_" + "A" * 32)
    for response in (
        await door.post("stripe", EVENT, stripe_headers(EVENT, secret="whsec_nobody")),
        await door.post("stripe", EVENT + b" ", stripe_headers(EVENT)),
        await door.post("standard", EVENT, standard),
        await door.post("adyen", adyen_body(item(), key="00" * 32)),
    ):
        assert await problem(response) == (401, "signature_wrong")
    assert await door.inbox() == []


@pytest.mark.parametrize(("skew_s", "status"), [(-290, 200), (290, 200), (-310, 401), (310, 401)])
async def test_a_signed_time_counts_for_300_seconds_either_way(
    door: Door, skew_s: int, status: int
) -> None:
    stripe = await door.post("stripe", EVENT, stripe_headers(EVENT, skew_s=skew_s))
    body = json.dumps({"type": "unknown", "timestamp": "2026-01-01T00:00:00Z", "data": {}}).encode()
    standard = await door.post("standard", body, standard_headers(body, skew_s=skew_s))

    assert (stripe.status, standard.status) == (status, status)


async def test_one_forged_item_refuses_the_whole_notification(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    good = json.loads(adyen_body(item(psp_reference="PSP1")))
    forged = json.loads(adyen_body(item(psp_reference="PSP2")))
    forged["notificationItems"][0]["NotificationRequestItem"]["amount"]["value"] = 999999
    good["notificationItems"] += forged["notificationItems"]

    assert await problem(await door.post("adyen", json.dumps(good).encode())) == (
        401,
        "signature_wrong",
    )
    unsigned = good["notificationItems"][1]["NotificationRequestItem"]
    unsigned["additionalData"] = {}
    assert await problem(await door.post("adyen", json.dumps(good).encode())) == (
        400,
        "signature_malformed",
    )
    assert await door.inbox() == []
    assert await door.available() == "0.00"


async def test_an_endpoint_that_is_not_configured_is_404(door: Door) -> None:
    assert await problem(await door.post("paypal", EVENT)) == (404, "unknown_endpoint")


@pytest.mark.parametrize(("size", "status"), [(262144, 200), (262145, 413)])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_has_256_kib_at_most(
    door: Door, size: int, status: int, *, chunked: bool
) -> None:
    document = json.loads(EVENT)
    document["padding"] = ""
    document["padding"] = "x" * (size - len(json.dumps(document)))
    body = json.dumps(document).encode()
    assert len(body) == size

    async def in_chunks() -> Any:  # noqa: ANN401 - an async generator of bytes
        for start in range(0, size, 50_000):
            yield body[start : start + 50_000]

    response = await door.client.post(
        "/webhooks/stripe",
        data=in_chunks() if chunked else body,
        headers={"Content-Type": "application/json", **stripe_headers(body)},
    )
    assert response.status == status


async def test_a_compressed_body_is_415(door: Door) -> None:
    for body in (gzip.compress(EVENT), b"no gzip at all"):
        response = await door.post(
            "stripe", body, {"Content-Encoding": "gzip", **stripe_headers(body)}
        )
        assert await problem(response) == (415, "not_json")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded"])
async def test_another_content_type_is_415(door: Door, content_type: str) -> None:
    response = await door.post(
        "stripe", EVENT, {**stripe_headers(EVENT), "Content-Type": content_type}
    )
    assert await problem(response) == (415, "not_json")


@pytest.mark.parametrize("body", [b"", b"hello", b'{"id": ', b"{'id': 1}", b"\x00"])
async def test_authentic_bytes_that_are_no_json_are_415(door: Door, body: bytes) -> None:
    stripe = await door.post("stripe", body, stripe_headers(body))
    standard = await door.post("standard", body, standard_headers(body))

    assert await problem(stripe) == (415, "not_json")
    assert await problem(standard) == (415, "not_json")
    assert await problem(await door.post("stripe", body)) == (400, "signature_malformed")


HOSTILE = {
    "not an object": b"[]",
    "a number": b"12",
    "a key twice": b'{"id":"evt_1","id":"evt_2"}',
    "NaN": b'{"id":"evt_1","created":NaN}',
    "not UTF-8": b'{"id":"evt_\xff"}',
    "nested": b"[" * 50_000 + b"]" * 50_000,
    "unfinished and nested": b'{"a":' * 40_000,
    "a number of 5000 digits": b'{"id":"evt_1","created":' + b"9" * 5000 + b"}",
    "half a surrogate pair": b'{"id":"evt_\\ud800","type":"x","data":{"object":{}}}',
    "NUL in a text": b'{"id":"evt_\\u0000","type":"x"}',
    "no id": b'{"type":"payment_intent.succeeded"}',
    "an id of 300": json.dumps({"id": "e" * 300, "type": "x"}).encode(),
    "no data": b'{"id":"evt_9","type":"payment_intent.succeeded","created":1}',
}


async def test_authentic_and_unusable_is_kept_quarantined_and_200(door: Door) -> None:
    for number, (name, body) in enumerate(HOSTILE.items(), start=1):
        for state in ("quarantined", "repeated"):
            response = await door.post("stripe", body, stripe_headers(body))
            assert response.status == 200, name
            assert (await response.json())["state"] == state, name
        kept = await door.inbox()
        assert len(kept) == number, name
        assert kept[0].state == "quarantined", name
        assert (await door.stored(kept[0])).body == body, name

    assert {case.kind for case in await door.cases()} == {"quarantined"}


UNBOOKABLE_OBJECTS: list[dict[str, object]] = [
    {"amount_received": True},
    {"amount_received": "2000"},
    {"amount_received": 20.5},
    {"amount_received": 0},
    {"amount_received": -5},
    {"amount_received": 10**40},
    {"amount_received": None},
    {"currency": "xxx"},
    {"currency": 826},
    {"id": None},
    {"id": "p" * 129},
    {"metadata": {"reference": 5}},
]


async def test_a_stripe_object_that_cannot_be_booked_is_quarantined(door: Door) -> None:
    for changed in UNBOOKABLE_OBJECTS:
        shown = payment_intent(user_id="u_7") | changed
        assert await door.stripe("payment_intent.succeeded", shown) == "quarantined", changed

    assert await door.wallet() is None


UNBOOKABLE_DATA: list[dict[str, object]] = [
    {"amount": 20},
    {"amount": 20.0},
    {"amount": "20.001"},
    {"amount": "-20.00"},
    {"amount": "0.00"},
    {"amount": "1e3"},
    {"amount": "9" * 39},
    {"amount": "٢٠"},
    {"currency": "gbp"},
    {"payment_id": ""},
    {"payment_id": 5},
    {"payment_id": "a\nb"},
    {"effect_id": "e" * 129},
    {"reference": ["r"]},
]


async def test_a_standard_event_that_cannot_be_booked_is_quarantined(door: Door) -> None:
    data = {"payment_id": "pay_1", "user_id": "u_7", "amount": "20.00", "currency": "GBP"}
    for changed in UNBOOKABLE_DATA:
        document = {
            "type": "deposit.succeeded",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": data | changed,
        }
        body = json.dumps(document).encode()
        response = await door.post("standard", body, standard_headers(body))
        assert response.status == 200, changed
        assert (await response.json())["state"] == "quarantined", changed

    assert await door.wallet() is None


async def test_a_time_without_its_zone_is_quarantined(door: Door) -> None:
    data = {"payment_id": "pay_1", "user_id": "u_7", "amount": "20.00", "currency": "GBP"}
    for at in ("2026-01-01T00:00:00", "soon", 5, None, "0001-01-01T00:00:00+14:00"):
        body = json.dumps({"type": "deposit.succeeded", "timestamp": at, "data": data}).encode()
        response = await door.post("standard", body, standard_headers(body))
        assert (response.status, (await response.json())["state"]) == (200, "quarantined"), at


UNBOOKABLE_ITEMS = [
    item(account="AnotherMerchant"),
    item(reference="or:der"),
    item(success="maybe"),
    item(value="2000"),
    item(value=True),
    item(currency="XXX"),
    item(psp_reference="P" * 400),
    item() | {"eventDate": "yesterday"},
]


async def test_an_authentic_adyen_item_that_cannot_be_booked_is_quarantined(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    for number, strange in enumerate(UNBOOKABLE_ITEMS):
        await door.adyen(strange | {"pspReference": f"{strange['pspReference']}{number}"})
        assert (await door.last()).state == "quarantined", strange

    assert await door.available() == "0.00"


async def test_a_quarantined_item_does_not_hold_up_its_neighbours(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(psp_reference="PSP9", account="Another"), item(psp_reference="PSP1"))

    assert await door.available() == "20.00"
    assert {kept.state for kept in await door.inbox()} == {"booked", "quarantined"}


async def test_an_ambiguous_notification_is_kept_whole(door: Door) -> None:
    body = adyen_body(item()).replace(b'"live": "false"', b'"live": "false", "live": "true"')
    response = await door.post("adyen", body)

    assert (response.status, await response.text()) == (200, "[accepted]")
    assert (await door.last()).reason == "an object has a key twice"


async def test_a_flood_of_unverified_calls_is_429_and_verified_ones_pass(door: Door) -> None:
    statuses = [(await door.post("stripe", EVENT)).status for _ in range(70)]
    assert statuses[:60] == [400] * 60
    assert 429 in statuses[60:]
    response = await door.post("stripe", EVENT)
    assert int(response.headers["Retry-After"]) >= 1
    assert await problem(response) == (429, "rate_limited")

    assert (await door.post("stripe", EVENT, stripe_headers(EVENT))).status == 200
    assert (await door.post("adyen", EVENT)).status == 400


def test_a_gate_remembers_a_bounded_number_of_callers() -> None:
    gate = FloodGate(burst=1, most_names=100, clock=lambda: 0.0)
    for number in range(10_000):
        gate.count(f"10.0.0.{number}", "stripe")

    assert len(gate._buckets) == 100  # noqa: SLF001 - memory is what is promised


class _BrokenPool:
    """A pool whose database fails in one way."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def acquire(self) -> object:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError("no server"),
        TimeoutError(),
        asyncpg.TooManyConnectionsError("too many"),
        asyncpg.DiskFullError("no space left"),
        asyncpg.CannotConnectNowError("starting up"),
        asyncpg.AdminShutdownError("terminating"),
        asyncpg.QueryCanceledError("statement timeout"),
        asyncpg.ReadOnlySQLTransactionError("a standby"),
        asyncpg.ConnectionDoesNotExistError("gone"),
        asyncpg.InterfaceError("pool is closing"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_database_that_cannot_take_it_is_503_with_retry_after(error: Exception) -> None:
    app = web.Application(middlewares=[problem_middleware])
    app[INTAKE] = Intake(ENDPOINTS)
    app[DRAIN] = Drain(cast("Pool", _BrokenPool(error)))
    app.add_routes(routes)
    async with TestClient(TestServer(app)) as client:
        response = await client.post("/webhooks/stripe", data=EVENT, headers=stripe_headers(EVENT))

        assert response.headers["Retry-After"] == "5"
        assert await problem(response) == (503, "database_unavailable")


async def test_a_real_database_that_goes_away_is_503(database_url: str, owner: Pool) -> None:
    app = web.Application(middlewares=[problem_middleware])
    app[INTAKE] = Intake(ENDPOINTS)
    app.add_routes(routes)
    async with open_pool(database_url, max_size=2) as pool:
        app[DRAIN] = Drain(pool)
        async with TestClient(TestServer(app)) as client:
            await pool.execute("SELECT 1")
            await owner.execute("ALTER TABLE deliveries RENAME TO elsewhere")
            headers = stripe_headers(EVENT)
            response = await client.post("/webhooks/stripe", data=EVENT, headers=headers)
            assert await problem(response) == (503, "database_unavailable")
            await owner.execute("ALTER TABLE elsewhere RENAME TO deliveries")
            response = await client.post("/webhooks/stripe", data=EVENT, headers=headers)
            assert response.status == 200


async def test_a_body_that_breaks_off_is_400_or_a_closed_connection_never_500(door: Door) -> None:
    server = door.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(
        b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: 500\r\n\r\n{"
    )
    await writer.drain()
    writer.write_eof()
    answer = await reader.read()
    writer.close()

    assert answer == b"" or b" 400 " in answer.split(b"\r\n")[0]
    assert await door.inbox() == []


async def test_no_secret_and_no_payload_reaches_the_log(
    door: Door, capsys: pytest.CaptureFixture[str]
) -> None:
    await door.post("stripe", EVENT, stripe_headers(EVENT))
    await door.post("stripe", EVENT, stripe_headers(EVENT, secret="whsec_nobody"))
    said = capsys.readouterr()

    logged = said.out + said.err
    assert "delivery_taken" in logged
    assert "call_refused" in logged
    for secret in (STANDARD_SECRET, ADYEN_OLD, STRIPE_OLD, "whsec_", "amount_received", "u_7"):
        assert secret not in logged
