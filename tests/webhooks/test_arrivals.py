"""Whatever bytes arrive on the socket end in the contract's table, and the next call is as ever."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client import REGISTRY

from recon.clock import now
from recon.webhooks import verify_call
from recon.webhooks.errors import SignatureStaleError
from tests.webhooks.conftest import (
    ADYEN_KEY,
    ENDPOINTS,
    STANDARD_SECRET,
    adyen_body,
    item,
    payment_intent,
    standard_headers,
    stripe_body,
    stripe_headers,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.webhooks.conftest import Door

EVENT = stripe_body("payment_intent.succeeded", payment_intent(user_id="u_7"), event_id="evt_1")


def call(
    headers: Mapping[str, str | bytes], body: bytes, *, path: str = "/webhooks/stripe"
) -> bytes:
    """One request, byte for byte; ``Content-Length`` is the body's unless it is said otherwise."""
    all_of_them: dict[str, str | bytes] = {
        "Host": "x",
        "Content-Type": "application/json",
        "Connection": "close",
    }
    if "Transfer-Encoding" not in headers:
        all_of_them["Content-Length"] = str(len(body))
    all_of_them.update(headers)
    lines = [f"POST {path} HTTP/1.1".encode()]
    for name, text in all_of_them.items():
        lines.append(name.encode() + b": " + (text if isinstance(text, bytes) else text.encode()))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def chunks(*parts: bytes) -> bytes:
    """A chunked body with its end."""
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


async def exchange(
    door: Door, raw: bytes, *, breaks_off: bool = False, first: bool = False
) -> list[int]:
    """Send bytes on a connection of its own; the statuses of all answers until it is closed.

    Args:
        door: the service.
        raw: what to send.
        breaks_off: whether this side closes then, as a client does that has gone.
        first: whether the first answer is enough: the service goes on to read what it refused.
    """
    server = door.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(raw)
    await writer.drain()
    if breaks_off:
        writer.write_eof()
    try:
        async with asyncio.timeout(60):
            answer = await (reader.readuntil(b"\r\n") if first else reader.read())
    finally:
        writer.close()
    return [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]


async def is_as_ever(door: Door) -> None:
    """The next call is booked, once, and nothing else is in the inbox."""
    response = await door.post("stripe", EVENT, stripe_headers(EVENT))
    assert (await response.json())["state"] == "booked"
    assert await door.available() == "20.00"
    assert len(await door.inbox()) == 1


# -- The body on its way


async def test_a_body_in_chunks_is_the_body(door: Door) -> None:
    headers = {"Transfer-Encoding": "chunked", **stripe_headers(EVENT)}
    body = chunks(EVENT[:1], EVENT[1:100], EVENT[100:])

    assert await exchange(door, call(headers, body)) == [200]
    assert (await door.stored(await door.last())).body == EVENT


BROKEN: dict[str, tuple[dict[str, str | bytes], bytes]] = {
    "a body that breaks off": ({"Content-Length": "5000"}, EVENT),
    "a list of chunks that breaks off": ({"Transfer-Encoding": "chunked"}, chunks(EVENT)[:-9]),
    "a chunk that breaks off": ({"Transfer-Encoding": "chunked"}, b"fff\r\n" + EVENT[:50]),
    "no chunk at all": ({"Transfer-Encoding": "chunked"}, b"zz\r\n" + EVENT),
    "a chunk of a negative size": ({"Transfer-Encoding": "chunked"}, b"-1\r\n" + EVENT),
    "a chunk of 2^64 bytes": ({"Transfer-Encoding": "chunked"}, b"f" * 17 + b"\r\n" + EVENT),
    "a length that is no number": ({"Content-Length": "many"}, EVENT),
    "a negative length": ({"Content-Length": "-5"}, EVENT),
    "two ways to say the length": (
        {"Transfer-Encoding": "chunked", "Content-Length": "3"},
        chunks(EVENT),
    ),
    "a header of 20 KB": ({"User-Agent": "x" * 20_000}, EVENT),
    "a NUL in a header": ({"User-Agent": b"a\x00b"}, EVENT),
    "a header without a name": ({"": "x"}, EVENT),
    "an unknown transfer coding": ({"Transfer-Encoding": "gzip, cookies"}, EVENT),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_call_that_is_broken_on_its_way_is_400_or_cut_off(door: Door, name: str) -> None:
    said, body = BROKEN[name]

    raw = call({**stripe_headers(EVENT), **said}, body)
    statuses = await exchange(door, raw, breaks_off="breaks off" in name)

    assert set(statuses) <= {400}, "or nothing: there was nobody left to answer"
    assert await door.inbox() == []
    await is_as_ever(door)


@pytest.mark.parametrize("more", [b"GET / SMUGGLED", b"}", b"POST /webhooks/stripe HTTP/1.1\r\n"])
async def test_what_follows_a_body_is_no_part_of_it_and_no_call(door: Door, more: bytes) -> None:
    headers = {**stripe_headers(EVENT), "Content-Length": str(len(EVENT))}

    assert await exchange(door, call(headers, EVENT + more)) == [400]
    await is_as_ever(door)


async def test_fewer_bytes_than_were_signed_prove_nothing(door: Door) -> None:
    headers = stripe_headers(EVENT)

    assert await exchange(door, call(headers, EVENT[:-1])) == [401]
    await is_as_ever(door)


async def test_a_length_past_the_limit_is_413_before_anything_is_read(door: Door) -> None:
    headers = {**stripe_headers(EVENT), "Content-Length": str(2**63)}

    assert await exchange(door, call(headers, b""), first=True) == [413]
    await is_as_ever(door)


async def test_chunks_past_the_limit_are_413_and_read_no_further(door: Door) -> None:
    headers = {"Transfer-Encoding": "chunked", **stripe_headers(EVENT)}
    endless = chunks(*[b"x" * 65_536] * 5)[:-5]

    assert await exchange(door, call(headers, endless), first=True) == [413]
    await is_as_ever(door)


async def test_a_body_that_drips_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recon.webhooks.reading._WITHIN_S", 1.0)
    server = door.client.server
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(call(stripe_headers(EVENT), EVENT)[: -len(EVENT)])

    async def drip() -> None:
        for byte in EVENT:
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)

    dripping = asyncio.create_task(drip())
    async with asyncio.timeout(60):
        answer = await reader.readuntil(b"\r\n")
    dripping.cancel()
    writer.close()

    assert b" 400 " in answer
    await is_as_ever(door)


async def test_other_calls_are_answered_while_one_drips(door: Door) -> None:
    server = door.client.server
    _, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(call(stripe_headers(EVENT), EVENT)[:-200])
    await writer.drain()

    await is_as_ever(door)
    writer.close()


# -- What the headers say


HEADERS: dict[str, tuple[dict[str, str | bytes], int]] = {
    "a signature in other bytes": ({"Stripe-Signature": b"t=1,v1=\xff\xfe"}, 400),
    "a signature in other digits": ({"Stripe-Signature": "t=١٢٣,v1=aa"}, 400),
    "thousands of signatures": ({"Stripe-Signature": "t=1767225600" + ",v1=aa" * 1200}, 401),
    "an empty signature": ({"Stripe-Signature": ""}, 400),
    "a time past every calendar": ({"Stripe-Signature": "t=" + "9" * 18 + ",v1=aa"}, 401),
    "a time of 5000 digits": ({"Stripe-Signature": "t=" + "9" * 5000 + ",v1=aa"}, 400),
    "a type in other bytes": ({"Content-Type": b"application/\xff"}, 415),
    "a coding in other bytes": ({"Content-Encoding": b"\xff"}, 415),
    "a form": ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
}


@pytest.mark.parametrize("name", HEADERS)
async def test_a_header_that_makes_no_sense_is_refused_by_the_table(door: Door, name: str) -> None:
    said, status = HEADERS[name]

    headers = {**stripe_headers(EVENT), **said}
    assert await exchange(door, call(headers, EVENT)) == [status]
    assert await door.inbox() == []


async def test_the_right_one_among_many_signatures_is_found(door: Door) -> None:
    (right,) = stripe_headers(EVENT).values()
    time, _, signature = right.partition(",")
    many = ",".join([time, *["v1=" + "0" * 64] * 40, "v0=" + "a" * 64, signature])

    response = await door.post("stripe", EVENT, {"Stripe-Signature": many})

    assert response.status == 200
    kept = (await door.last()).headers["Stripe-Signature"]
    assert len(kept) == 1024, "what is kept of a header has its bound"


async def test_the_first_of_two_signature_headers_counts_and_neither_is_joined(door: Door) -> None:
    (right,) = stripe_headers(EVENT).values()
    forged = b"t=1767225600,v1=" + b"0" * 64
    for first, second, status in ((right.encode(), forged, 200), (forged, right.encode(), 401)):
        both = first + b"\r\nStripe-Signature: " + second
        raw = call({"Stripe-Signature": both}, EVENT)
        assert await exchange(door, raw) == [status]


@pytest.mark.parametrize(
    ("message_id", "status"),
    [
        ("m" * 255, 200),
        ("m" * 256, 400),
        ("", 400),
        ("naïve-ключ", 200),
        (b"\xff\xfe", 400),
        ("a\u202eb", 400),
        ("a\tb", 400),
    ],
)
async def test_an_id_in_a_header_is_text_that_can_be_kept(
    door: Door, message_id: str | bytes, status: int
) -> None:
    body = b'{"type":"ping"}'
    named = message_id.decode("latin-1") if isinstance(message_id, bytes) else message_id
    headers: dict[str, str | bytes] = {**standard_headers(body, named or None)}
    headers |= {"webhook-id": message_id}

    raw = call(headers, body, path="/webhooks/standard")
    assert await exchange(door, raw) == [status]
    assert [kept.event_id for kept in await door.inbox()] == ([message_id] if status == 200 else [])


@pytest.mark.parametrize("agent", [b"\xff\xfe", "\u202eagent".encode(), b"x" * 7000])
async def test_an_odd_agent_costs_no_delivery_and_is_not_kept_whole(
    door: Door, agent: bytes
) -> None:
    headers: dict[str, str | bytes] = {**stripe_headers(EVENT), "User-Agent": agent}

    assert await exchange(door, call(headers, EVENT)) == [200]
    assert len((await door.last()).headers.get("User-Agent", "")) in {0, 1024}


@pytest.mark.parametrize(
    "path",
    [
        *("/webhooks/%00", "/webhooks/str%FFipe", "/webhooks/stripe%2F..", "/webhooks/STRIPE"),
        *("/webhooks/stripe/", "/webhooks//stripe", "/webhooks/" + "x" * 5000),
    ],
)
async def test_an_endpoint_that_nobody_configured_is_404_or_no_address_at_all(
    door: Door, path: str
) -> None:
    raw = call({**stripe_headers(EVENT)}, EVENT, path=path)

    assert await exchange(door, raw) in ([404], [400])
    assert await door.inbox() == []


# -- The clock, to the second


@pytest.mark.parametrize("endpoint", ["stripe", "standard"])
@pytest.mark.parametrize(
    ("skew_s", "is_taken"), [(-300, True), (300, True), (-301, False), (301, False)]
)
def test_three_hundred_seconds_are_taken_and_one_more_is_not(
    endpoint: str, skew_s: int, *, is_taken: bool
) -> None:
    headers = (stripe_headers if endpoint == "stripe" else standard_headers)(EVENT)
    signed = re.search(r"\d{10}", headers.get("webhook-timestamp") or headers["Stripe-Signature"])
    assert signed is not None
    from_epoch = timedelta(seconds=int(signed.group()) + skew_s, milliseconds=999)
    then = now() - timedelta(seconds=now().timestamp()) + from_epoch

    if is_taken:
        assert len(verify_call(ENDPOINTS[endpoint], headers, EVENT, then)) == 1
        return
    with pytest.raises(SignatureStaleError) as refused:
        verify_call(ENDPOINTS[endpoint], headers, EVENT, then)
    assert refused.value.skew_s == skew_s


async def test_only_an_authentic_call_can_be_stale(door: Door) -> None:
    forged = stripe_headers(EVENT, secret="whsec_nobody", skew_s=-9999)
    late = stripe_headers(EVENT, skew_s=-9999)
    codes = [
        (await (await door.post("stripe", EVENT, headers)).json(content_type=None))["code"]
        for headers in (forged, late)
    ]

    assert codes == ["signature_wrong", "signature_stale"]


async def test_how_far_clocks_are_is_measured_for_what_is_authentic_alone(door: Door) -> None:
    def counted(name: str, endpoint: str = "stripe", **labels: str) -> int:
        return int(REGISTRY.get_sample_value(name, {"endpoint": endpoint, **labels}) or 0)

    names = ("recon_intake_clock_skew_seconds_count", "recon_intake_stale_seconds_count")
    before = [counted(name) for name in names]
    used = counted("recon_intake_verified_total", place="0")
    await door.post("stripe", EVENT, stripe_headers(EVENT, skew_s=-200))
    await door.post("stripe", EVENT, stripe_headers(EVENT, skew_s=-900))
    await door.post("stripe", EVENT, stripe_headers(EVENT, skew_s=-900, secret="whsec_nobody"))

    assert [counted(name) for name in names] == [before[0] + 1, before[1] + 1]
    assert counted("recon_intake_verified_total", place="0") == used + 1
    assert counted("recon_intake_clock_skew_seconds_count", "adyen") == 0


# -- What the body says


HOSTILE: dict[str, bytes] = {
    "Infinity": b'{"id":"evt_9","created":Infinity}',
    "-Infinity deep inside": b'{"id":"evt_9","type":"x","data":{"object":{"a":[-Infinity]}}}',
    "a key twice deep inside": b'{"id":"e","type":"x","created":1,"data":{"object":{"a":1,"a":2}}}',
    "a key twice by an escape": b'{"id":"evt_9","type":"x","\\u0069d":"evt_8"}',
    "a text of 200 KB": b'{"id":"evt_9","type":"' + b"x" * 200_000 + b'"}',
    "an array of 100,000": b'{"id":"evt_9","type":"x","data":[' + b"0," * 100_000 + b"0]}",
    "null": b"null",
    "a text": b'"evt_9"',
    "true": b"true",
    "an escaped NUL in the type": b'{"id":"evt_9","type":"a\\u0000b"}',
    "a number past every float": b'{"id":"evt_9","type":"x","created":1e999999999}',
    "a number past every decimal": b'{"id":"evt_9","type":"x","data":{"object":{"a":1e%s}}}'
    % (b"9" * 30),
    "a time past every calendar": (
        b'{"id":"e","type":"x","created":9999999999999,"data":{"object":{}}}'
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_signed_json_that_cannot_be_an_event_is_kept_and_quarantined(
    door: Door, name: str
) -> None:
    body = HOSTILE[name]
    for endpoint, headers in (
        ("stripe", stripe_headers(body)),
        ("standard", standard_headers(body)),
    ):
        response = await door.post(endpoint, body, headers)
        assert response.status == 200, endpoint
        kept = await door.last()
        assert kept.state in {"quarantined", "ignored"}, endpoint
        assert (await door.stored(kept)).body == body, endpoint
    assert (await door.inbox())[1].state == "quarantined", "Stripe's"


async def test_a_byte_order_mark_is_no_json(door: Door) -> None:
    body = b"\xef\xbb\xbf" + EVENT

    response = await door.post("stripe", body, stripe_headers(body))

    assert response.status == 415
    await is_as_ever(door)


@pytest.mark.parametrize("first", ["u_7", "u_8"])
async def test_of_a_key_that_stands_twice_neither_value_is_booked(door: Door, first: str) -> None:
    second = "u_8" if first == "u_7" else "u_7"
    body = (
        '{"type":"deposit.succeeded","timestamp":"2026-01-01T00:00:00Z","data":{"payment_id":'
        f'"pay_1","user_id":"{first}","user_id":"{second}","amount":"20.00","currency":"GBP"}}}}'
    ).encode()

    response = await door.post("standard", body, standard_headers(body))

    assert (await response.json())["state"] == "quarantined"
    assert (await door.last()).reason == "an object has a key twice"
    assert await door.wallet("u_7") is None
    assert await door.wallet("u_8") is None


# -- Notifications of many items


async def test_a_hundred_items_are_a_hundred_deliveries_in_one_call(door: Door) -> None:
    for number in range(100):
        await door.register(f"order-{number}", endpoint="adyen", user=f"u_{number % 7}")
    items = [item(psp_reference=f"PSP{n}", reference=f"order-{n}") for n in range(100)]

    await door.adyen(*items)
    await door.adyen(*reversed(items))

    kept = await door.pool.fetch("SELECT state, count(*) AS n FROM deliveries GROUP BY state")
    assert [(row["state"], row["n"]) for row in kept] == [("booked", 100)]
    assert await door.available("u_0") == "300.00"
    assert await door.pool.fetchval("SELECT count(*) FROM delivery_repeats WHERE same_bytes") == 100


async def test_an_item_that_stands_twice_in_one_notification_is_booked_once(door: Door) -> None:
    await door.register("order-1", endpoint="adyen")
    await door.adyen(item(), item(), item(at="2026-02-02T00:00:00Z"))

    assert await door.available() == "20.00"
    assert len(await door.inbox()) == 1
    assert await door.cases() == []


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_one_forged_item_refuses_the_whole_notification(door: Door, place: int) -> None:
    await door.register("order-1", endpoint="adyen")
    document = json.loads(adyen_body(*(item(psp_reference=f"PSP{n}") for n in range(3))))
    forged = document["notificationItems"][place]["NotificationRequestItem"]
    forged["amount"]["value"] = 999_900

    response = await door.post("adyen", json.dumps(document).encode())

    assert response.status == 401
    assert await door.inbox() == []


ODD: list[Any] = [
    *([], {}, None, 5, "items", [None], [5], [[]], [{}], [{"NotificationRequestItem": None}]),
    *([{"NotificationRequestItem": []}], [{"NotificationRequestItem": {}}]),
    [{"NotificationRequestItem": {"additionalData": {"hmacSignature": ""}}}],
    [{"NotificationRequestItem": {"additionalData": {"hmacSignature": "é"}}}],
    [{"NotificationRequestItem": {"additionalData": {"hmacSignature": 5}}}],
    [{"NotificationRequestItem": {"additionalData": []}}],
    [{"NotificationRequestItem": {"additionalData": {"hmacSignature": "AAAA"}, "success": {}}}],
]


BEYOND = b'{"notificationItems":1e%s}' % (b"9" * 30)


async def test_a_notification_without_provable_items_is_400_or_401(door: Door) -> None:
    for items in ODD:
        body = json.dumps({"live": "false", "notificationItems": items}).encode()
        response = await door.post("adyen", body)
        assert response.status in {400, 401}, items

    for body in (b"[]", b"null", b'"x"', b"5", b"[" * 50_000, BEYOND, b'{"notificationItems":NaN}'):
        assert (await door.post("adyen", body)).status in {400, 415}, body[:20]
    assert await door.inbox() == []


# -- Floods


async def test_a_flood_at_one_endpoint_costs_no_other_endpoint_and_no_verified_call(
    door: Door,
) -> None:
    statuses = {(await door.post("stripe", b"{}")).status for _ in range(80)}
    assert statuses == {400, 429}

    assert (await door.post("adyen", b"{}")).status == 400
    assert (await door.post("standard", b"{}")).status == 400
    await is_as_ever(door)
    body = adyen_body(item(), key=ADYEN_KEY)
    assert (await door.post("adyen", body)).status == 200
    assert STANDARD_SECRET not in await (await door.post("standard", b"{}")).text()
