"""What befalls money at the PSPs: payments with everything that is said of them, in any order."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from recon.clock import now
from recon.money import Money
from recon.webhooks.model import Effect, Endpoint, Kind
from recon.webhooks.samples import Sample, SampleCall, build_sample, sign_sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

__all__ = [
    "ADYEN",
    "BANK",
    "CARDS",
    "ENDPOINTS",
    "Registration",
    "Story",
    "Told",
    "new_story",
    "settings_of_endpoints",
    "sign",
]

BANK: Final = Endpoint(
    name="bank",
    provider="standard-webhooks",
    secrets=("whsec_dmlvbGVuY2Utc2VjcmV0LW9mLTMyLWJ5dGVzLi4uLg==",),
)
CARDS: Final = Endpoint(name="cards", provider="stripe", secrets=("whsec_violence",))
ADYEN: Final = Endpoint(name="adyen", provider="adyen", secrets=("ab" * 32,))
ENDPOINTS: Final = (BANK, CARDS, ADYEN)

_PLAYERS: Final = 8
_moments = count(60)
_CURRENCIES: Final = ("GBP", "GBP", "GBP", "JPY", "KWD")
_MOVES: Final = {
    Kind.DEPOSIT_SUCCEEDED: Effect.DEPOSIT,
    Kind.DEPOSIT_REFUNDED: Effect.REFUND,
    Kind.DEPOSIT_CHARGED_BACK: Effect.CHARGEBACK,
    Kind.WITHDRAWAL_PAID: Effect.PAID,
    Kind.WITHDRAWAL_FAILED: Effect.VOIDED,
}


@dataclass(eq=False)
class Told:
    """One event, to be sent until it is acknowledged.

    Attributes:
        document: as the provider's template has it, to be signed for each attempt.
        event_id: under which the inbox has it.
        moves: the (source, key) of the posting that it must lead to; None where it need not.
    """

    endpoint: Endpoint
    document: dict[str, Any]
    event_id: str
    moves: tuple[str, str] | None
    acknowledged: bool = False


@dataclass(eq=False)
class Registration:
    """A payment that an internal caller registers, until it is told that it is."""

    body: dict[str, str]
    acknowledged: bool = False


@dataclass(eq=False)
class Story:
    """Everything about one payment.

    Attributes:
        stages: what may be sent in any order, once all of the stage before is acknowledged.
        moves: what (user, currency) has of it in the end, in minor units.
    """

    stages: list[list[Told | Registration]]
    moves: Counter[tuple[str, str]]

    @property
    def postings(self) -> set[tuple[str, str]]:
        """(source, key) of all that must be booked."""
        events = [one for stage in self.stages for one in stage if isinstance(one, Told)]
        return {one.moves for one in events if one.moves is not None}


def settings_of_endpoints() -> dict[str, str]:
    """The environment that configures them."""
    found = {}
    for endpoint in ENDPOINTS:
        prefix = f"RECON_PSP__{endpoint.name.upper()}__"
        found[f"{prefix}PROVIDER"] = endpoint.provider
        found[f"{prefix}SECRETS"] = json.dumps(endpoint.secrets)
    return found


def new_story(chance: Random, number: int) -> Story:
    """Another payment of one of a few players, so that wallets are contended for."""
    tell = chance.choice([_deposit, _deposit, _deposit, _registered, _withdrawn, _paid_out])
    return tell(chance, f"{number}-{chance.getrandbits(32):08x}")


def sign(told: Sequence[Told]) -> SampleCall:
    """One call with these events, signed now; several only where they are items of Adyen's."""
    endpoint = told[0].endpoint
    calls = [sign_sample(endpoint, one.document, at=now()) for one in told]
    if len(calls) == 1:
        return calls[0]
    batch = json.loads(calls[0].body)
    for call in calls[1:]:
        batch["notificationItems"] += json.loads(call.body)["notificationItems"]
    return SampleCall(json.dumps(batch).encode(), calls[0].headers)


def _deposit(chance: Random, name: str) -> Story:
    """A deposit that is told once or twice, and perhaps refunded, also before it is known."""
    endpoint = chance.choice((BANK, CARDS))
    user, amount = _player(chance), _amount(chance)
    events = [_told(endpoint, Kind.DEPOSIT_SUCCEEDED, user, amount, name)]
    left = amount.minor
    if chance.random() < 0.3:
        events.append(_told(endpoint, Kind.DEPOSIT_PENDING, user, amount, name))
    if chance.random() < 0.3:
        # Another event about the same money: it must not move twice.
        events.append(_told(endpoint, Kind.DEPOSIT_SUCCEEDED, user, amount, name))
    if chance.random() < 0.3:
        back = Money(chance.randint(1, amount.minor), amount.currency)
        events.append(_told(endpoint, Kind.DEPOSIT_REFUNDED, user, back, name))
        left -= back.minor
    return Story([[*events]], Counter({(user, amount.currency): left}))


def _registered(chance: Random, name: str) -> Story:
    """A registered deposit at Adyen, whose items name no player; its report may come first."""
    user, amount = _player(chance), _amount(chance)
    events: list[Told | Registration] = [_told(ADYEN, Kind.DEPOSIT_SUCCEEDED, user, amount, name)]
    left = amount.minor
    if chance.random() < 0.4:
        back = Money(chance.randint(1, amount.minor), amount.currency)
        events.append(_told(ADYEN, Kind.DEPOSIT_REFUNDED, user, back, name))
        left -= back.minor
    registration: Told | Registration = _registration(ADYEN, "deposit", user, amount, name)
    stages = [[registration], events]
    if chance.random() < 0.3:
        stages = [[registration, *events]]
    return Story(stages, Counter({(user, amount.currency): left}))


def _withdrawn(chance: Random, name: str) -> Story:
    """Money that was deposited, is reserved, and is paid out or not.

    Nothing else happens to these players: a refund that comes early would leave too little.
    """
    user, amount = f"saver_{chance.randrange(_PLAYERS)}", _amount(chance)
    paid = chance.random() < 0.6
    out = f"{name}-out"
    outcome = Kind.WITHDRAWAL_PAID if paid else Kind.WITHDRAWAL_FAILED
    return Story(
        [
            [_told(BANK, Kind.DEPOSIT_SUCCEEDED, user, amount, name)],
            [_registration(BANK, "withdrawal", user, amount, out)],
            [
                _told(BANK, Kind.WITHDRAWAL_ACCEPTED, user, amount, out),
                _told(BANK, outcome, user, amount, out),
            ],
        ],
        Counter({(user, amount.currency): 0 if paid else amount.minor}),
    )


def _paid_out(chance: Random, name: str) -> Story:
    """A payout that nobody registered: a fact, which may overdraw; so those players do not play."""
    user, amount = f"overdrawn_{chance.randrange(_PLAYERS)}", _amount(chance)
    return Story(
        [[_told(chance.choice((BANK, CARDS)), Kind.WITHDRAWAL_PAID, user, amount, name)]],
        Counter({(user, amount.currency): -amount.minor}),
    )


def _player(chance: Random) -> str:
    return f"player_{chance.randrange(_PLAYERS)}"


def _amount(chance: Random) -> Money:
    # Stripe takes three decimals only where the last is zero.
    return Money(10 * chance.randint(1, 10_000), chance.choice(_CURRENCIES))


def _registration(
    endpoint: Endpoint, direction: str, user: str, amount: Money, reference: str
) -> Registration:
    return Registration(
        {
            "reference": reference,
            "endpoint": endpoint.name,
            "direction": direction,
            "user_id": user,
            "amount": str(amount),
            "currency": amount.currency,
        }
    )


def _told(endpoint: Endpoint, kind: Kind, user: str, amount: Money, reference: str) -> Told:
    # Every event happened at a time of its own, so that two about one payment are two.
    at = now() - timedelta(seconds=next(_moments) % 3600)
    sample = Sample(kind=kind, user_id=user, amount=amount, reference=reference, at=at)
    document = build_sample(endpoint, sample)
    event_id, moved = _names(endpoint, document)
    effect = _MOVES.get(kind)
    posting = None if effect is None else (f"psp:{endpoint.name}", f"{moved}:{effect}")
    return Told(endpoint, document, event_id, posting)


def _names(endpoint: Endpoint, document: dict[str, Any]) -> tuple[str, str]:
    """The event's id and that of what moved, by each provider's own rules."""
    if endpoint.provider == "stripe":
        return document["id"], document["data"]["object"]["id"]
    if endpoint.provider == "adyen":
        psp_reference = document["pspReference"]
        return f"{psp_reference}:{document['eventCode']}:{document['success']}", psp_reference
    data = document["data"]
    call = sign_sample(endpoint, document, at=now())
    return call.headers["webhook-id"], data.get("effect_id", data["payment_id"])
