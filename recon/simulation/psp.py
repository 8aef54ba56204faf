"""A payment provider and its players: registrations and webhooks, in the disorder of the weather.

It tells the game at some time of its own, and us by signed webhooks until we have answered: late,
twice, out of their order, and before anybody has registered the payment. Some it never tells.
"""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from recon import clock
from recon.errors import ReconError, Unavailable
from recon.money import Money
from recon.payments import Direction, ExpectedPayment
from recon.simulation.member import is_passing
from recon.webhooks import Endpoint, Kind, register_payment, verify_call
from recon.webhooks.samples import Sample, build_sample, sign_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import datetime

    from recon.payments import Payment
    from recon.simulation.cluster import Cluster, Skies
    from recon.simulation.member import Member

__all__ = ["SOURCE", "Psp", "TruePayment"]

_T = TypeVar("_T")

_NAME: Final = "bank"
SOURCE: Final = f"psp:{_NAME}"
_SECRET: Final = f"whsec_{base64.b64encode(b'a simulated bank' * 2).decode()}"
_ENDPOINT: Final = Endpoint(name=_NAME, provider="standard-webhooks", secrets=(_SECRET,))
_AMOUNTS: Final = ("5.00", "3.20", "11.00")
_REFUNDED: Final = 0.15
_PAID: Final = 0.8
_SOON_S: Final = 3.0
_LATE_S: Final = 60.0
_RETRY_S: Final = 40.0


@dataclass(slots=True)
class TruePayment:
    """What truly became of a payment.

    Attributes:
        reference: names it everywhere, at the game too.
        user_id: whose money.
        amount: of it.
        objects: the provider's ids for it, and for its refund or payout.
        booked: the kinds of movement that we must have booked in the end.
        untold: the game has it, and we shall never be told.
        known_at: when it was registered with us at the latest; None: nobody has.
    """

    reference: str
    user_id: str
    amount: Money
    objects: set[str] = field(default_factory=set)
    booked: list[Kind] = field(default_factory=list)
    untold: bool = False
    known_at: datetime | None = None


class Psp:
    """One provider's account.

    Args:
        cluster: whom it tells, and the game that it tells too.
        skies: the weather.
    """

    def __init__(self, cluster: Cluster, skies: Skies) -> None:
        self._cluster = cluster
        self._skies = skies
        self._dice = cluster.dice
        self._under_way: dict[asyncio.Task[None], None] = {}
        self.payments: list[TruePayment] = []
        self.faults: list[str] = []

    def deposit(self, user_id: str) -> None:
        """A player pays in."""
        self._begin(self._deposit(self._new(user_id, "in")))

    def withdraw(self, user_id: str) -> None:
        """A player takes money out."""
        self._begin(self._withdraw(self._new(user_id, "out")))

    async def all_told(self) -> None:
        """Wait until we have been told all that we are ever told."""
        while self._under_way:
            await asyncio.wait(list(self._under_way))

    def _new(self, user_id: str, way: str) -> TruePayment:
        payment = TruePayment(
            f"{way}/{len(self.payments)}", user_id, Money.parse(self._dice.choice(_AMOUNTS), "GBP")
        )
        self.payments.append(payment)
        return payment

    def _begin(self, life: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(life)
        self._under_way[task] = None
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if not task.cancelled() and task.exception() is not None:
            self.faults.append(f"a payment ended in {task.exception()!r}")

    async def _deposit(self, payment: TruePayment) -> None:
        dice, weather = self._dice, self._skies.now
        payment.untold = dice.random() < weather.webhook_never
        unknown = not payment.untold and dice.random() < weather.registered_never
        late = not payment.untold and dice.random() < weather.registered_late
        if unknown:
            self._cluster.trace.note("registered_never", "psp", payment.reference)
        elif late:
            self._begin(self._register_late(payment))
        else:
            await self._register(payment, Direction.DEPOSIT)
        self._begin(self._tell_game(payment, +1))
        if payment.untold:
            self._cluster.trace.note("webhook_never", "psp", payment.reference)
            return
        kinds = [Kind.DEPOSIT_PENDING, Kind.DEPOSIT_SUCCEEDED]
        payment.booked = [Kind.DEPOSIT_SUCCEEDED]
        if dice.random() < _REFUNDED:
            kinds.append(Kind.DEPOSIT_REFUNDED)
            payment.booked.append(Kind.DEPOSIT_REFUNDED)
            self._begin(self._tell_game(payment, -1))
        await self._tell_all(payment, kinds)

    async def _withdraw(self, payment: TruePayment) -> None:
        if not await self._register(payment, Direction.WITHDRAWAL):
            return
        end = Kind.WITHDRAWAL_PAID if self._dice.random() < _PAID else Kind.WITHDRAWAL_FAILED
        payment.booked = [end]
        if end is Kind.WITHDRAWAL_PAID:
            self._begin(self._tell_game(payment, -1))
        await self._tell_all(payment, [Kind.WITHDRAWAL_ACCEPTED, end])

    async def _register_late(self, payment: TruePayment) -> None:
        self._cluster.trace.note("registered_late", "psp", payment.reference)
        await asyncio.sleep(self._dice.uniform(0.0, _LATE_S))
        await self._register(payment, Direction.DEPOSIT)

    async def _register(self, payment: TruePayment, direction: Direction) -> bool:
        """Register it; False where it is refused."""
        money = payment.amount
        expected = ExpectedPayment(
            payment.reference, _NAME, direction, payment.user_id, str(money), money.currency
        )

        async def register(member: Member) -> Payment:
            return await register_payment(member.pool, expected)

        while True:
            said = await self._ask(register)
            if said is not None:
                payment.known_at = clock.now()
                return not isinstance(said, ReconError)
            await asyncio.sleep(self._dice.uniform(0.2, _SOON_S))

    async def _tell_game(self, payment: TruePayment, sign: int) -> None:
        await asyncio.sleep(self._dice.uniform(0.0, _SOON_S))
        backend, money = self._cluster.game.sandbox.backend, payment.amount
        move = backend.credit if sign > 0 else backend.debit
        move(payment.user_id, money.currency, money.minor, ref=payment.reference)

    async def _tell_all(self, payment: TruePayment, kinds: list[Kind]) -> None:
        for kind in kinds:
            await asyncio.sleep(self._dice.uniform(0.0, _SOON_S))
            self._begin(self._tell(payment, kind))

    async def _tell(self, payment: TruePayment, kind: Kind) -> None:
        """Send one event until it is answered, and perhaps another one that says the same."""
        dice, trace, at = self._dice, self._cluster.trace, clock.now()
        if dice.random() < self._skies.now.webhook_late:
            trace.note("webhook_late", "psp", f"{payment.reference} {kind}")
            await asyncio.sleep(dice.uniform(_SOON_S, _LATE_S))
        await self._tell_event(payment, kind, at)
        if dice.random() < self._skies.now.webhook_again:
            trace.note("webhook_again", "psp", f"{payment.reference} {kind}")
            await asyncio.sleep(dice.uniform(_SOON_S, _LATE_S))
            await self._tell_event(payment, kind, clock.now())

    async def _tell_event(self, payment: TruePayment, kind: Kind, at: datetime) -> None:
        """One event, with an id of its own, until it is answered."""
        dice, trace = self._dice, self._cluster.trace
        document = build_sample(
            _ENDPOINT,
            Sample(
                kind=kind,
                user_id=payment.user_id,
                amount=payment.amount,
                reference=payment.reference,
                at=at,
            ),
        )
        said = document["data"]
        if kind is Kind.DEPOSIT_REFUNDED:
            # Most tell whose it was with the deposit alone: before that, or a registration, nobody
            # can say.
            del said["user_id"]
        payment.objects |= {said["payment_id"], said.get("effect_id", said["payment_id"])}
        while True:
            copies = 1
            if dice.random() < self._skies.now.webhook_doubled:
                trace.note("webhook_doubled", "psp", f"{payment.reference} {kind}")
                copies = 2
            answered = await asyncio.gather(*(self._send(document) for _ in range(copies)))
            if any(answered):
                return
            await asyncio.sleep(dice.uniform(1.0, _RETRY_S))

    async def _send(self, document: dict[str, Any]) -> bool:
        """One attempt; whether it was answered with 2xx, and the answer arrived."""
        dice = self._dice
        await asyncio.sleep(dice.uniform(0.002, 0.2))
        if self._is_lost():
            return False

        async def take(member: Member) -> object:
            call, at = sign_sample(_ENDPOINT, document, at=clock.now()), clock.now()
            return await member.drain.take(verify_call(_ENDPOINT, call.headers, call.body, at))

        said = await self._ask(take)
        if isinstance(said, ReconError):
            self.faults.append(f"a webhook was refused: {said!r}")
        return said is not None and not self._is_lost()

    def _is_lost(self) -> bool:
        lost = self._dice.random() < self._skies.now.webhook_lost
        if lost:
            self._cluster.trace.note("webhook_lost", "psp", "")
        return lost

    async def _ask(
        self, work: Callable[[Member], Coroutine[Any, Any, _T]]
    ) -> _T | ReconError | None:
        """What a process that is up says; None where it says nothing, or to come again."""
        member = self._cluster.anyone()
        if member is None:
            return None
        task = member.process.start(work(member))
        await asyncio.wait([task])
        if task.cancelled():
            return None
        error = task.exception()
        if error is None:
            return task.result()
        if isinstance(error, ReconError) and not isinstance(error, Unavailable):
            return error
        if not isinstance(error, Unavailable) and not is_passing(error):
            self.faults.append(f"the payments ended in {error!r}")
        return None
