"""A stand-in for Stripe's API on a real socket: it keeps the list's rules, and can break them."""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from recon.clock import new_id, now
from recon.webhooks.backfill import ApiAccount, Backfilled, backfill
from tests.webhooks.conftest import ENDPOINTS, payment_intent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from recon.db import Pool

KEY = "rk_test_51notakey"


@dataclass
class Stripe:
    """The account's events, and what goes wrong with the next calls."""

    url: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    asked: list[web.Request] = field(default_factory=list)
    instead: deque[Callable[[web.Request], Awaitable[web.StreamResponse]]] = field(
        default_factory=deque
    )
    plainly_first: int = 0

    def happened(
        self,
        event_type: str,
        shown: dict[str, Any],
        *,
        ago_s: float = 600,
        event_id: str | None = None,
        livemode: bool = False,
    ) -> dict[str, Any]:
        """Make an event; what it looks like in the list."""
        event = {
            "id": event_id or f"evt_{new_id().hex}",
            "object": "event",
            "api_version": "2025-03-31.basil",
            "created": int(now().timestamp() - ago_s),
            "data": {"object": shown},
            "livemode": livemode,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": event_type,
        }
        self.events.append(event)
        return event

    def paid(self, number: int = 1, *, ago_s: float = 600, **metadata: str) -> dict[str, Any]:
        """A deposit of 20.00 GBP for u_7, where nothing else is said."""
        metadata = metadata or {"user_id": "u_7"}
        shown = payment_intent(f"pi_{number}", charge=f"ch_{number}") | {"metadata": metadata}
        return self.happened("payment_intent.succeeded", shown, ago_s=ago_s)

    def account(self, *, key: str = KEY, livemode: bool = False) -> ApiAccount:
        return ApiAccount(ENDPOINTS["stripe"], self.url, key, livemode)

    def fail(self, status: int, *, times: int = 1, headers: dict[str, str] | None = None) -> None:
        async def refuse(_: web.Request) -> web.StreamResponse:
            return web.json_response(
                {"error": {"message": "no", "type": "api_error"}}, status=status, headers=headers
            )

        self.instead.extend([refuse] * times)

    def answer(self, body: bytes, *, times: int = 1, headers: dict[str, str] | None = None) -> None:
        async def say(_: web.Request) -> web.StreamResponse:
            return web.Response(body=body, content_type="application/json", headers=headers)

        self.instead.extend([say] * times)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.plainly_first > 0:
            self.plainly_first -= 1
        elif self.instead:
            return await self.instead.popleft()(request)
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return web.json_response({"error": {"message": "Invalid API Key"}}, status=401)
        return web.json_response(self.page(request), dumps=lambda page: json.dumps(page, indent=1))

    def page(self, request: web.Request) -> dict[str, Any]:
        query = request.query
        newest_first = sorted(self.events, key=lambda event: -int(event["created"]))
        after = query.get("starting_after")
        if after is not None:
            ids = [event["id"] for event in newest_first]
            newest_first = newest_first[ids.index(after) + 1 :]
        types = query.getall("types[]", [])
        matching = [
            event
            for event in newest_first
            if event["created"] >= int(query.get("created[gte]", 0))
            and event["created"] < int(query.get("created[lt]", 2**40))
            and (not types or event["type"] in types)
        ]
        limit = int(query.get("limit", 10))
        return {
            "object": "list",
            "url": "/v1/events",
            "has_more": len(matching) > limit,
            "data": matching[:limit],
        }


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try again at once."""
    monkeypatch.setattr("recon.webhooks.backfill.listing._FIRST_WAIT_S", 0.001)


@pytest.fixture
async def stripe() -> AsyncIterator[Stripe]:
    """Stripe's API, empty."""
    made = Stripe()
    app = web.Application()
    app.router.add_get("/v1/events", made.handle)
    server = TestServer(app)
    await server.start_server()
    made.url = str(server.make_url("")).rstrip("/")
    yield made
    await server.close()


async def run(pool: Pool, account: ApiAccount, **more: Any) -> Backfilled:  # noqa: ANN401 - as `backfill`
    """One comparison that leaves the last minute to the webhooks."""
    return await backfill(pool, account, leave=timedelta(minutes=1), **more)
