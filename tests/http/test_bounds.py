"""Every input has an end: what is longer, deeper or more than ours ever is, is refused by name."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest

from recon.clock import new_id
from recon.http.keys import Scope, create_key
from recon.http.openapi import openapi_document
from recon.http.paging import Cursor
from tests.http.conftest import PAYMENT
from tests.http.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from recon.db import Pool
    from tests.http.serving import Served

LONG = "x" * 100_000
BODIES: dict[str, dict[str, Any]] = {
    "/api/v1/adjustments/{adjustment_id}/approve": {"reason": "r"},
    "/api/v1/adjustments/{adjustment_id}/reject": {"reason": "r"},
    "/api/v1/bets": {"user_id": "u_7", "round_id": "r", "amount": "1.00", "currency": "GBP"}
    | {"auto_cashout": "2.00"},
    "/api/v1/bets/{bet_id}/rulings": {"outcome": "lost", "reason": "r", "evidence": "e"}
    | {"payout": "1.00", "currency": "GBP", "payout_transaction_id": "t", "ticket_id": "t"},
    "/api/v1/cases/{case_id}/close": {"reason": "r"},
    "/api/v1/discrepancies/{discrepancy_id}/adjustments": {"amount": "1.00", "reason": "r"},
    "/api/v1/discrepancies/{discrepancy_id}/assign": {"assignee": "ada"},
    "/api/v1/discrepancies/{discrepancy_id}/comment": {"text": "t"},
    "/api/v1/discrepancies/{discrepancy_id}/ignore": {"reason": "r"}
    | {"until": "2030-01-01T00:00:00Z"},
    "/api/v1/discrepancies/{discrepancy_id}/recheck": {},
    "/api/v1/payments": PAYMENT,
    "/api/v1/reconciliation/runs": {"scope": "users", "users": ["u_7"]},
    "/api/v1/rulings/{ruling_id}/approve": {"reason": "r"},
    "/api/v1/rulings/{ruling_id}/reject": {"reason": "r"},
}


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    settings = {
        # So that bets and runs are possible; nobody answers there.
        "game_url": "http://127.0.0.1:9",
        "game_api_key": "ck_sandbox_1",
        "game_signing_secret": "s",
        "game_stream": False,
    }
    async with serving(database_url, **settings) as service:
        yield service


def beyond(body: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The body with each of its fields beyond all bounds."""
    for name, value in body.items():
        if isinstance(value, list):
            yield f"{name}: a long item", body | {name: [LONG]}
            yield f"{name}: many items", body | {name: [str(n) for n in range(50_000)]}
        else:
            yield f"{name}: long", body | {name: LONG}
            yield f"{name}: many digits", body | {name: "9" * 100_000}
            yield f"{name}: a long number", body | {name: 10**4000}


async def test_no_input_is_without_bounds(served: Served, pool: Pool) -> None:
    """Each field of each body, each parameter of each path and query, of all that the API has."""
    key = (await create_key(pool, name="ops", scopes=list(Scope), lifetime=None)).key
    bearer = {"Authorization": f"Bearer {key}"}
    document = openapi_document(served.app)
    wrong = {}
    number = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            places = {
                one["name"]: str(new_id()) if one["in"] == "path" else LONG[:5000]
                for one in operation["parameters"]
                if one["in"] != "header"
            }
            address = path
            for name in [name for name in places if f"{{{name}}}" in path]:
                address = address.replace(f"{{{name}}}", places.pop(name))
            asked: list[tuple[str, str, Any]] = [
                (f"?{name}", f"{address}?{name}={text}", None) for name, text in places.items()
            ]
            if "{" in path:
                asked.append(("path", address.replace(address.split("/")[4], LONG[:5000]), None))
            if "application/json" in operation.get("requestBody", {}).get("content", {}):
                asked += [(what, address, body) for what, body in beyond(BODIES[path])]
                asked.append(("depth", address, b"[" * 100_000))
                asked.append(("depth", address, b'{"a":' * 100_000))
            for what, where, body in asked:
                number += 1
                sent = json.dumps(body).encode() if isinstance(body, dict) else body
                async with served.session.request(
                    method,
                    served.url + where,
                    headers=bearer | {"Idempotency-Key": str(number)},
                    data=None if sent is None else BytesIO(sent),
                ) as answer:
                    said = await answer.text()
                refused = answer.status in {400, 404, 413, 415, 422}
                # A filter that nothing matches is an empty page, or an empty file.
                is_empty = answer.status == 200 and method == "get"
                if not (refused if isinstance(body, dict | bytes) else refused or is_empty):
                    wrong[f"{method} {path} {what}"] = (answer.status, said[:200])
                if len(said) > 5_000:
                    wrong[f"{method} {path} {what}: its answer"] = (len(said), said[:200])

    assert not wrong, "\n".join(f"{a}: {b}" for a, b in wrong.items())
    assert number > 150


async def test_a_head_that_does_not_end_and_an_idle_connection_are_not_waited_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.http.server._KEPT_S", 0.05)
    whole = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    async with serving(database_url) as served:
        for sent in (b"", b"GET / HTTP/1.1\r\nHost: x\r\n", whole, whole + b"GET / HTTP/1.1\r\n"):
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(sent)
            answer = b""
            # To its end, which the server makes; where we are slow, before it has read the call.
            with suppress(ConnectionResetError):
                answer = await asyncio.wait_for(reader.read(), 60)
            writer.close()

            assert answer.count(b"HTTP/1.1 ") <= sent.count(whole)


async def test_a_body_that_drips_is_not_waited_for(
    served: Served, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.http.bodies._WITHIN_S", 0.05)
    key = (await create_key(pool, name="ops", scopes=list(Scope), lifetime=None)).key
    form = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin"
    bearer = f"Authorization: Bearer {key}\r\nIdempotency-Key: 1"
    for head, until in (
        (f"POST /api/v1/payments HTTP/1.1\r\n{bearer}", b'"code":"body_incomplete"'),
        (f"POST /sign-in HTTP/1.1\r\n{form}", b"the body did not come within"),
    ):
        sent = f"{head}\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: 9\r\n\r\nn"
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
        writer.write(sent.encode())
        # Not to its end: the connection is kept for a while, for what may still come.
        answer = await asyncio.wait_for(reader.readuntil(until), 60)
        writer.close()

        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_cursor_of_ours_with_anything_in_it_is_read_or_refused(
    served: Served, pool: Pool
) -> None:
    key = (await create_key(pool, name="ops", scopes=list(Scope), lifetime=None)).key
    document = openapi_document(served.app)
    lists = [
        path.replace("{user_id}", "u_7").replace("{file_id}", str(new_id()))
        for path, methods in document["paths"].items()
        if any(one["name"] == "cursor" for one in methods.get("get", {}).get("parameters", ()))
    ]
    for path in lists:
        for inside in ("9" * 4301, "9" * 19, "-1", "x" * 5000, "{", "1,2", str(new_id()), "٣"):
            query = {"cursor": Cursor.seal(inside), "currency": "GBP"}
            async with served.session.get(
                served.url + path, params=query, headers={"Authorization": f"Bearer {key}"}
            ) as answer:
                assert answer.status in {200, 400, 404}, (path, inside[:20], await answer.text())

    assert len(lists) > 8
