"""What no honest caller sends is refused with a 4xx that says why; nothing of it is a 500."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from recon.clock import parse_duration, parse_time
from recon.errors import Invalid
from tests.http.conftest import PAYMENT, bearer

if TYPE_CHECKING:
    from tests.http.conftest import Service


async def raw(
    service: Service, line: bytes, *headers: bytes, body: bytes = b""
) -> tuple[int, dict[str, str]]:
    """Status and problem of a request sent byte for byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    lines = [line + b" HTTP/1.1", b"Host: recon", b"Connection: close"]
    lines += [*headers, b"Content-Length: %d" % len(body)]
    writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
    answer = await reader.read()
    writer.close()
    head, _, problem = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(problem)


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/wallets/%00?currency=GBP", "invalid_characters"),
        ("/wallets/u_%00/entries?currency=GBP", "invalid_characters"),
        ("/payments/%00", "invalid_characters"),
        ("/bets/%00", "invalid_characters"),
        ("/webhooks/%00", "invalid_characters"),
        ("/discrepancies?user_id=%00", "invalid_characters"),
        ("/discrepancies?%00=1", "invalid_characters"),
        ("/discrepancies?user_id=%ED%A0%80", None),
        ("/payments/%ED%A0%80", None),
        ("/payments/%FF", None),
        ("/discrepancies?user_id=%FF", None),
        ("/wallets/u_7?currency=%00", "invalid_characters"),
        ("/wallets/u_7?currency=GBP&at=0001-01-01T00:00:00%2B23:59", "invalid_time"),
        ("/wallets/u_7?currency=GBP&at=9999-12-31T23:59:59-23:59", "invalid_time"),
        ("/wallets/u_7?currency=GBP&at=0001-01-01T00:00:00Z", None),
        ("/wallets/u_7?currency=GBP&at=9999-12-31T23:59:59Z", None),
        (f"/discrepancies?limit={'9' * 5000}", "invalid_limit"),
        (f"/discrepancies?limit={'0' * 5000}1", "invalid_limit"),
        ("/discrepancies?limit=%D9%A3", "invalid_limit"),
        ("/discrepancies?cursor=AA==", "invalid_cursor"),
        ("/discrepancies?cursor=%FF", "invalid_cursor"),
        (f"/wallets/{'u' * 5000}?currency=GBP", None),
    ],
)
async def test_a_hostile_address_is_the_callers_fault(
    service: Service, path: str, code: str | None
) -> None:
    key = await service.key("cashier")

    status, problem = await raw(
        service, b"GET /api/v1" + path.encode(), b"Authorization: Bearer " + key.key.encode()
    )

    assert status in ({400} if code else {200, 400, 404})
    assert code is None or problem["code"] == code


@pytest.mark.parametrize("key", [b"\xff", b"rk_\xc3\xa9", b"rk_ 1", b"r" * 5000])
async def test_a_key_that_cannot_be_one_of_ours_is_401(service: Service, key: bytes) -> None:
    status, problem = await raw(
        service, b"GET /api/v1/payments/p1", b"Authorization: Bearer " + key
    )

    assert (status, problem["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize("intent", [b"\xff", b"\xc3\xa9", b"a\tb"])
async def test_an_idempotency_key_is_printable_ascii(service: Service, intent: bytes) -> None:
    key = await service.key("cashier")

    status, problem = await raw(
        service,
        b"POST /api/v1/payments",
        b"Authorization: Bearer " + key.key.encode(),
        b"Idempotency-Key: " + intent,
        body=json.dumps(PAYMENT).encode(),
    )

    assert (status, problem["code"]) == (400, "idempotency_key_invalid")


@pytest.mark.parametrize(
    "body",
    [
        b'{"scope":"users","users":["\\u0000"]}',
        b'{"scope":"users","users":["u_1","a\\u0000b"]}',
        b'{"scope":"users","users":["\\ud800"]}',
        b'{"scope":"users","users":["\x00"]}',
        b'{"scope":"users","users":["\xff"]}',
        b"[" * 100_000,
        b"9" * 100_000,
    ],
    ids=["nul", "nul-inside", "surrogate", "raw-nul", "no-utf-8", "deep", "long-number"],
)
async def test_a_hostile_body_is_the_callers_fault(service: Service, body: bytes) -> None:
    key = await service.key("cashier")

    status, problem = await raw(
        service,
        b"POST /api/v1/reconciliation/runs",
        b"Authorization: Bearer " + key.key.encode(),
        b"Idempotency-Key: 1",
        body=body,
    )

    assert status == 400
    assert problem["code"] in {"invalid_characters", "malformed_json", "validation_failed"}


async def test_words_that_only_look_like_an_escape_are_words(service: Service) -> None:
    key = await service.key("cashier")

    async with service.client.post(
        "/api/v1/payments",
        data=json.dumps(PAYMENT | {"reference": r"ref-\u0000"}),
        headers=bearer(key, Idempotency_Key="1"),
    ) as answer:
        problem = await answer.json()

    assert problem.get("code") != "invalid_characters"


@pytest.mark.parametrize(
    ("line", "headers"),
    [
        (b"GET /wallets/%00", [b"Accept: text/html"]),
        (b"GET /?run_id=%00", [b"Accept: text/html"]),
        (b"GET /sign-in?next=%00", [b"Accept: text/html"]),
        (b"GET /sign-in/once/%00", [b"Accept: text/html"]),
        (b"GET /", [b"Cookie: recon=\xff; __Host-recon=\xff"]),
        (b"GET /metrics", [b"X-Request-Id: \xff", b"traceparent: \xff"]),
        (b"GET /discrepancies", [b"Accept: \xff"]),
    ],
)
async def test_the_pages_survive_it_too(
    service: Service, line: bytes, headers: list[bytes]
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", service.client.port)
    writer.write(
        b"\r\n".join([line + b" HTTP/1.1", b"Host: recon", b"Connection: close", *headers])
    )
    writer.write(b"\r\n\r\n")
    answer = await reader.read()
    writer.close()

    assert int(answer.split()[1]) < 500


async def test_a_forms_nul_is_no_crash(service: Service) -> None:
    async with service.client.post(
        "/sign-in",
        data={"name": "\x00", "password": "\x00", "next": "/\x00"},
        headers={"Sec-Fetch-Site": "same-origin", "Accept": "text/html"},
    ) as answer:
        assert answer.status in {400, 401}


@pytest.mark.parametrize(
    "kind",
    [
        # Each line of a part is read by itself: 2.7 s of nobody else's turn for a megabyte.
        "multipart/form-data; boundary=B",
        "multipart/form-data",
        "multipart/mixed; boundary=B",
        # Decoding grows with the square, is none of text, or is not known.
        "application/x-www-form-urlencoded; charset=idna",
        "application/x-www-form-urlencoded; charset=zlib",
        "application/x-www-form-urlencoded; charset=nope",
    ],
)
async def test_a_form_of_another_kind_is_not_even_read(service: Service, kind: str) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Accept": "text/html", "Content-Type": kind}

    async with service.client.post("/sign-in", data=b"--B\r\n" * 9, headers=headers) as answer:
        assert answer.status == 415
        assert "in UTF-8" in await answer.text()


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-00:01"])
def test_an_instant_outside_the_calendar_in_utc_is_invalid(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_time(text)

    assert refused.value.code == "invalid_time"


def test_digits_that_lead_to_no_unit_are_refused_at_once() -> None:
    """Looked at from each of them anew they would take minutes."""
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration("9" * 500_000)


@pytest.mark.parametrize("text", ["99999999999999d", f"{'9' * 400}s", f"{'9' * 5000}h"])
def test_a_duration_too_long_to_count_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is longer than can be counted"):
        parse_duration(text)
