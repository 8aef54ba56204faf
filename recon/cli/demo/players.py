"""Players who deposit, bet, cash out and withdraw, through the service's own doors."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from recon.errors import Unavailable
from recon.money import exponent_of, format_minor

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.cli.demo.stage import Stage

__all__ = ["Counts", "Table", "play"]

_ENDPOINTS: Final = ("stripe", "standard", "adyen")
_CURRENCIES: Final = ("GBP", "GBP", "GBP", "EUR", "EUR", "JPY")

# Each of these is planted at least once, on the first deposit of a player of its own; the sandbox
# plants more of them, and all the others, by their rates.
_SHOWN: Final = (
    "webhook_lost",
    "webhook_wrong_amount",
    "game_update_lost",
    "game_update_doubled",
    "webhook_doubled",
    "webhook_late",
    "webhook_bad_signature",
    "webhook_answer_lost",
    "webhook_missed",
)
_AUTOMATIC_SHARE: Final = 0.4
_CASHED_OUT_SHARE: Final = 0.7


@dataclass(slots=True)
class Counts:
    """What the players did."""

    payments: int = 0
    bets: int = 0
    refused: int = 0
    unknown: int = 0
    errors: list[str] = field(default_factory=list)


class Table:
    """The round that is on, as the service tells it; one asks for all."""

    def __init__(self) -> None:
        self.round_id = ""
        self.open = asyncio.Event()

    async def watch(self, stage: Stage) -> None:
        """Keep it true until cancelled."""
        while True:
            async with stage.service.get("/api/v1/game/state") as answer:
                state = await answer.json() if answer.ok else {}
            self.round_id = state.get("round_id", "")
            if state.get("status") == "betting":
                self.open.set()
            else:
                self.open.clear()
            await asyncio.sleep(0.1)


class _Player:
    def __init__(
        self,
        stage: Stage,
        table: Table,
        counts: Counts,
        number: int,
        seed: int,
        *,
        pause_s: tuple[float, float],
    ) -> None:
        self.stage = stage
        self.pause_s = pause_s
        self.table = table
        self.counts = counts
        self.user_id = f"u_{1001 + number}"
        self.currency = _CURRENCIES[number % len(_CURRENCIES)]
        self.endpoint = _ENDPOINTS[number % len(_ENDPOINTS)]
        self.shown = _SHOWN[number] if number < len(_SHOWN) else None
        if self.shown == "webhook_wrong_amount" or self.currency == "JPY":
            self.endpoint = "standard"
        if self.shown == "webhook_missed":
            # The only one whose own list tells what its webhooks did not.
            self.endpoint = "stripe"
        self.rng = random.Random(f"{seed}:{self.user_id}")  # noqa: S311 - a player's whims
        self.numbers = itertools.count(1)
        self.deposits: list[str] = []

    async def join(self) -> None:
        body = {"user_id": self.user_id, "currency": self.currency, "available": "0"}
        async with self.stage.sandbox.post("/sandbox/users", json=body) as answer:
            answer.raise_for_status()
        forced = {} if self.shown is None else {"faults": [self.shown]}
        await self.deposit(**forced)

    async def live(self) -> None:
        """One thing after another, until cancelled."""
        acts = (self.bet, self.deposit, self.withdraw, self.refund, self.charge_back)
        while True:
            (act,) = self.rng.choices(acts, weights=(75, 12, 9, 3, 1))
            await act()
            await asyncio.sleep(self.rng.uniform(*self.pause_s))

    async def deposit(self, **more: object) -> None:
        reference = self._reference("dep")
        amount = self._amount(2_000, 12_000)
        if await self._register(reference, "deposit", amount):
            made = await self._at_psp("deposits", reference=reference, amount=amount, **more)
            if made is not None:
                self.deposits.append(made["payment_id"])

    async def withdraw(self) -> None:
        reference = self._reference("wd")
        amount = self._amount(500, 2_500)
        if await self._register(reference, "withdrawal", amount):
            outcome = "accepted"
            if self.endpoint != "adyen":
                (outcome,) = self.rng.choices(("paid", "failed", "returned"), weights=(8, 1, 1))
            await self._at_psp("withdrawals", reference=reference, amount=amount, outcome=outcome)

    async def refund(self) -> None:
        if self.deposits:
            payment = self.rng.choice(self.deposits)
            await self._at_psp("refunds", payment_id=payment, amount=self._amount(100, 300))

    async def charge_back(self) -> None:
        if self.deposits:
            (outcome,) = self.rng.choices(("lost", "reversed"))
            payment = self.deposits.pop(0)
            await self._at_psp("chargebacks", payment_id=payment, outcome=outcome)

    async def bet(self) -> None:
        await self.table.open.wait()
        automatic = self.rng.random() < _AUTOMATIC_SHARE
        target = f"{self.rng.randint(110, 300) / 100:.2f}" if automatic else None
        body = {
            "user_id": self.user_id,
            "round_id": self.table.round_id,
            "amount": self._amount(100, 900),
            "currency": self.currency,
            "auto_cashout": target,
        }
        status, bet = await self._call("/api/v1/bets", body)
        if status not in {HTTPStatus.CREATED, HTTPStatus.ACCEPTED}:
            return
        self.counts.bets += 1
        if status == HTTPStatus.ACCEPTED:
            self.counts.unknown += 1
        if status == HTTPStatus.CREATED and not automatic and self.rng.random() < _CASHED_OUT_SHARE:
            await asyncio.sleep(self.rng.uniform(0.5, 4.0))
            await self._call(f"/api/v1/bets/{bet['bet_id']}/cashout", {})

    async def _register(self, reference: str, direction: str, amount: str) -> bool:
        body = {
            "reference": reference,
            "endpoint": self.endpoint,
            "direction": direction,
            "user_id": self.user_id,
            "amount": amount,
            "currency": self.currency,
        }
        status, _ = await self._call("/api/v1/payments", body)
        return status == HTTPStatus.CREATED

    async def _at_psp(self, what: str, **body: object) -> dict[str, Any] | None:
        if what in {"deposits", "withdrawals"}:
            body |= {"user_id": self.user_id, "currency": self.currency}
        url = f"/sandbox/psp/{self.endpoint}/{what}"
        async with self.stage.sandbox.post(url, json=body) as answer:
            if answer.status != HTTPStatus.ACCEPTED:
                self.counts.refused += 1
                return None
            self.counts.payments += 1
            made: dict[str, Any] = await answer.json()
            return made

    async def _call(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST to the service; a 503 is asked again under the same key, as a caller should."""
        key = f"{self.user_id}-{next(self.numbers)}"
        for _ in range(5):
            async with self.stage.service.post(
                path, json=body, headers={"Idempotency-Key": key}
            ) as answer:
                said: dict[str, Any] = await answer.json(content_type=None)
                if answer.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    break
                await asyncio.sleep(0.3)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self.counts.refused += 1
        if answer.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self.counts.errors.append(f"POST {path}: {said}")
        return answer.status, said

    def _reference(self, kind: str) -> str:
        return f"{kind}-{self.stage.run}-{self.user_id}-{next(self.numbers)}"

    def _amount(self, least: int, most: int) -> str:
        """An uneven amount between two of hundredths, so that few are the same twice."""
        hundredths = self.rng.randint(least, most)
        # Without decimals, ten of the unit stand for one of the others.
        minor = hundredths if exponent_of(self.currency) else hundredths // 10
        return format_minor(minor, self.currency)


async def play(
    stage: Stage,
    *,
    users: int,
    duration_s: float,
    seed: int,
    pause_s: tuple[float, float] = (0.1, 0.8),
    when_joined: Callable[[], Awaitable[None]] | None = None,
) -> Counts:
    """Let players live for a while; an error of theirs that is not the service's refusal raises.

    Args:
        stage: where.
        users: how many.
        duration_s: for how long, once all have joined.
        seed: of their whims.
        pause_s: between two acts of one, at least and at most.
        when_joined: awaited once all have, before they live.
    """
    table, counts = Table(), Counts()
    players = [
        _Player(stage, table, counts, number, seed, pause_s=pause_s) for number in range(users)
    ]
    watching = asyncio.create_task(table.watch(stage))
    living: list[asyncio.Task[None]] = []  # none yet, should it be interrupted while they join
    try:
        await asyncio.gather(*(player.join() for player in players))
        if when_joined is not None:
            await when_joined()
        living = [asyncio.create_task(player.live()) for player in players]
        done, _ = await asyncio.wait(
            [*living, watching], timeout=duration_s, return_when=asyncio.FIRST_EXCEPTION
        )
        for task in done:
            if (error := task.exception()) is not None:
                raise Unavailable(f"the demo's traffic broke: {error!r}") from error
    finally:
        watching.cancel()
        for task in living:
            task.cancel()
        await asyncio.gather(watching, *living, return_exceptions=True)
    return counts
