"""A receiver and a game that only write down what they are told, and the providers in between."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from recon.sandbox.faults import Faults
from recon.sandbox.psp import Timing, install

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

FAST = Timing(
    spread_s=0.02,
    late_s=(0.15, 0.2),
    first_retry_s=0.02,
    longest_pause_s=0.05,
    attempts=4,
    timeout_s=30.0,
)


@dataclass(frozen=True)
class Delivery:
    """One request that reached the receiver, and how it was answered."""

    endpoint: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    at: float

    @property
    def document(self) -> dict[str, Any]:
        """The body as JSON, of which tests read single fields."""
        loaded: dict[str, Any] = json.loads(self.body)
        return loaded

    @property
    def item(self) -> dict[str, Any]:
        """The only item of an Adyen notification."""
        (wrapped,) = self.document["notificationItems"]
        found: dict[str, Any] = wrapped["NotificationRequestItem"]
        return found

    @property
    def type(self) -> str:
        """What the provider calls the event."""
        if self.endpoint == "adyen":
            return str(self.item["eventCode"])
        return str(self.document["type"])


@dataclass
class Receiver:
    """Stands for the service: answers 200, or what `refuse` lists first."""

    deliveries: list[Delivery] = field(default_factory=list)
    refuse: deque[int] = field(default_factory=deque)
    verify: Callable[[Delivery], bool] | None = None
    answer_after_s: float = 0.0

    async def take(self, request: web.Request) -> web.Response:
        """Write a delivery down."""
        status = self.refuse.popleft() if self.refuse else 200
        endpoint = request.match_info["endpoint"]
        at = asyncio.get_running_loop().time()
        body = await request.read()
        await asyncio.sleep(self.answer_after_s)
        taken = Delivery(endpoint, dict(request.headers), body, status, at)
        if status == 200 and self.verify is not None and not self.verify(taken):
            status = 401
            taken = Delivery(endpoint, dict(request.headers), body, status, at)
        self.deliveries.append(taken)
        return web.Response(status=status, text="[accepted]")

    @property
    def types(self) -> list[str]:
        """The types in the order of their arrival."""
        return [delivery.type for delivery in self.deliveries]


@dataclass
class Game:
    """Stands for the game's backend."""

    calls: list[tuple[str, str, str, int]] = field(default_factory=list)

    def credit(self, user_id: str, currency: str, amount_minor: int, *, ref: str = "") -> None:
        """Write a credit down."""
        assert ref
        self.calls.append(("credit", user_id, currency, amount_minor))

    def debit(self, user_id: str, currency: str, amount_minor: int, *, ref: str = "") -> None:
        """Write a debit down."""
        assert ref
        self.calls.append(("debit", user_id, currency, amount_minor))

    @property
    def amounts(self) -> list[int]:
        """The movements, signed."""
        return [amount if kind == "credit" else -amount for kind, _, _, amount in self.calls]


class Sandbox:
    """The providers under test, driven over HTTP as any caller drives them."""

    def __init__(
        self, client: TestClient[Any, Any], faults: Faults, receiver: Receiver, game: Game
    ) -> None:
        self.client = client
        self.faults = faults
        self.receiver = receiver
        self.game = game

    async def post(
        self, path: str, body: Mapping[str, object], *, expect: int = 202
    ) -> dict[str, Any]:
        """Post to a control route below /sandbox/psp."""
        async with self.client.post(f"/sandbox/psp/{path}", json=body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == expect, answer
            return answer

    async def deposit(
        self, endpoint: str = "stripe", *, expect: int = 202, **changes: object
    ) -> dict[str, Any]:
        """20.00 GBP from u_7 as d1, but for the changes."""
        body = {"user_id": "u_7", "amount": "20.00", "currency": "GBP", "reference": "d1"}
        return await self.post(f"{endpoint}/deposits", body | changes, expect=expect)

    async def withdraw(
        self, endpoint: str = "stripe", *, expect: int = 202, **changes: object
    ) -> dict[str, Any]:
        """5.00 GBP to u_7 as w1, but for the changes."""
        body = {"user_id": "u_7", "amount": "5.00", "currency": "GBP", "reference": "w1"}
        return await self.post(f"{endpoint}/withdrawals", body | changes, expect=expect)

    async def settle(self) -> dict[str, Any]:
        """Wait for everything on its way."""
        return await self.post("settle", {}, expect=200)

    async def get(self, path: str = "", **headers: str) -> tuple[int, Any]:
        """Get from below /sandbox/psp."""
        async with self.client.get(f"/sandbox/psp{path}", headers=headers) as response:
            return response.status, await response.json()

    async def put(
        self, endpoint: str, body: Mapping[str, object], *, expect: int = 200
    ) -> dict[str, Any]:
        """Configure an endpoint."""
        async with self.client.put(f"/sandbox/psp/{endpoint}", json=body) as response:
            answer: dict[str, Any] = await response.json()
            assert response.status == expect, answer
            return answer

    def planted(self) -> list[tuple[str, str, str | None]]:
        """Fault, amount and cause of everything that was planted."""
        shown = [planted.as_json() for planted in self.faults.planted]
        return [(row["fault"], row["amount"], row["must_lead_to"]) for row in shown]


@asynccontextmanager
async def running(
    *,
    seed: int = 7,
    rates: Mapping[str, float] | None = None,
    timing: Timing = FAST,
    service: bool = True,
) -> AsyncIterator[Sandbox]:
    """The providers, their receiver and their game, until the block ends."""
    receiver, game, faults = Receiver(), Game(), Faults(seed, rates)
    async with AsyncExitStack() as stack:
        service_app = web.Application()
        service_app.router.add_post("/webhooks/{endpoint}", receiver.take)
        server = TestServer(service_app)
        await server.start_server()
        stack.push_async_callback(server.close)
        app = web.Application()
        install(
            app,
            backend=game,
            faults=faults,
            seed=seed,
            service_url=str(server.make_url("/")) if service else None,
            timing=timing,
        )
        client = await stack.enter_async_context(TestClient(TestServer(app)))
        yield Sandbox(client, faults, receiver, game)


@pytest.fixture
async def start() -> AsyncIterator[Callable[..., Awaitable[Sandbox]]]:
    """Start a sandbox with a seed, rates or a timing of the test's own."""
    async with AsyncExitStack() as stack:

        async def started(
            seed: int = 7,
            rates: Mapping[str, float] | None = None,
            timing: Timing = FAST,
            *,
            service: bool = True,
        ) -> Sandbox:
            made = running(seed=seed, rates=rates, timing=timing, service=service)
            return await stack.enter_async_context(made)

        yield started


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox in which no fault strikes unless forced."""
    async with running() as made:
        yield made
