"""Which faults strike, and the list of those that really did.

Every draw is derived from the seed alone, never from a shared generator, so that a run can be
repeated whatever the order in which concurrent calls arrive. A fault that must lead to a
discrepancy strikes a player a limited number of times (once, unless told), so that what is found
on a wallet has exactly one planted reason to be compared with.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypedDict

from recon.clock import now
from recon.errors import Invalid
from recon.money import format_minor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

__all__ = ["KINDS", "LEADING", "Faults", "Planted", "PlantedJson", "Rates", "check_kinds"]

KINDS: Final[Mapping[str, str | None]] = {
    # PSP → service
    "webhook_lost": "missing_webhook",
    "webhook_wrong_amount": "amount_mismatch",
    "webhook_doubled": None,
    "webhook_late": None,
    "webhook_reordered": None,
    "webhook_bad_signature": None,
    "webhook_answer_lost": None,
    "webhook_missed": None,  # never delivered, but told by the PSP's own list of events
    # PSP → the game's own backend
    "game_update_lost": "missing_game_update",
    "game_update_doubled": "duplicate",
    # game API → service
    "answer_lost": None,
    "answer_500": None,
    "answer_503": None,
    "answer_429": None,
    "answer_slow": None,
    # inside the game
    "payout_lost": "missed_payout",
}
"""Every kind of fault with the cause of the discrepancy it must lead to; None: it is absorbed."""

LEADING: Final = frozenset(kind for kind, cause in KINDS.items() if cause is not None)
"""The kinds that a sound service cannot absorb, only find."""


class PlantedJson(TypedDict):
    """A planted fault as the demo's report prints it; ``amount`` is a decimal string."""

    fault: str
    user_id: str
    currency: str
    amount: str
    must_lead_to: str | None


@dataclass(frozen=True, slots=True)
class Planted:
    """A fault that really happened.

    Attributes:
        fault: a key of `KINDS`.
        user_id: whose wallet it concerns.
        currency: of that wallet.
        amount_minor: when it leads to a discrepancy, the expected difference, game minus ledger,
            signed; otherwise the amount of the movement that it befell.
        must_lead_to: the cause the service must find, or None: nothing may be reported.
        at: when it was planted.
    """

    fault: str
    user_id: str
    currency: str
    amount_minor: int
    must_lead_to: str | None
    at: datetime

    def as_json(self) -> PlantedJson:
        """The fault with its amount as a decimal string."""
        return {
            "fault": self.fault,
            "user_id": self.user_id,
            "currency": self.currency,
            "amount": format_minor(self.amount_minor, self.currency),
            "must_lead_to": self.must_lead_to,
        }


def check_kinds(kinds: Iterable[str]) -> frozenset[str]:
    """The kinds as a set.

    Raises:
        Invalid: ``unknown_fault``, naming the first that is no key of `KINDS`.
    """
    wanted = frozenset(kinds)
    for kind in sorted(wanted):
        if kind not in KINDS:
            raise Invalid(
                f"{kind[:64]!r} is no fault; there are {', '.join(KINDS)}", code="unknown_fault"
            )
    return wanted


class Rates(dict[str, float]):
    """Probabilities by kind, 0 to 1, changed at will; refuses a kind or a rate that cannot be.

    Raises:
        Invalid: ``unknown_fault``; ``invalid_rate`` outside 0 to 1.
    """

    def __init__(self, rates: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.update(rates or {})

    def __setitem__(self, kind: str, rate: float) -> None:
        check_kinds([kind])
        if isinstance(rate, bool) or not 0 <= rate <= 1:  # NaN fails this comparison too
            raise Invalid(f"the rate of {kind} must lie between 0 and 1", code="invalid_rate")
        super().__setitem__(kind, float(rate))

    def update(  # type: ignore[override]  # one form of dict.update is all that is needed
        self, rates: Mapping[str, float]
    ) -> None:
        """Set several rates, or none of them when one is refused."""
        checked = dict(self)
        for kind, rate in rates.items():
            single = Rates()
            single[kind] = rate
            checked |= single
        for kind, rate in checked.items():
            super().__setitem__(kind, rate)


class Faults:
    """The switches of the sandbox's faults, and the record of what was planted.

    Args:
        seed: two instances with the same seed and rates answer alike.
        rates: kind → probability 0..1; a kind that is absent never strikes by itself.
        leading_per_user: how often, over all `LEADING` kinds together, one player can be struck.

    Raises:
        Invalid: as `Rates`.
    """

    rates: Rates
    planted: list[Planted]

    def __init__(
        self, seed: int, rates: Mapping[str, float] | None = None, *, leading_per_user: int = 1
    ) -> None:
        self.seed = seed
        self.rates = Rates(rates)
        self.planted = []
        self._leading_per_user = leading_per_user
        self._led: Counter[str] = Counter()
        self._draws: Counter[str] = Counter()

    def strikes(
        self,
        kind: str,
        *,
        user_id: str | None = None,
        key: str | None = None,
        force: frozenset[str] = frozenset(),
    ) -> bool:
        """Whether this fault strikes now.

        A leading kind that strikes takes the player's slot in the same breath (no await between),
        so the caller must then plant it. A forced fault strikes even a player whose slots are
        taken, and takes one too.

        Args:
            kind: a key of `KINDS`.
            user_id: whose slot a leading kind takes; without it no limit applies.
            key: what the draw is about, e.g. a payment's reference: the same key gives the same
                answer in every run, whatever else happens. Without it, the n-th draw of a kind
                depends on n.
            force: kinds that strike without a draw.

        Raises:
            Invalid: ``unknown_fault``.
        """
        check_kinds([kind])
        leading = kind in LEADING and user_id is not None
        if kind not in force:
            if leading and self._led[str(user_id)] >= self._leading_per_user:
                return False
            if not self._draw(kind, key):
                return False
        if leading:
            self._led[str(user_id)] += 1
        return True

    def plant(
        self, kind: str, *, user_id: str, currency: str, amount_minor: int, must_lead_to: str | None
    ) -> None:
        """Record a fault that has struck; see `Planted` for the amount's meaning and sign.

        Raises:
            Invalid: ``unknown_fault``.
        """
        check_kinds([kind])
        self.planted.append(Planted(kind, user_id, currency, amount_minor, must_lead_to, now()))

    def _draw(self, kind: str, key: str | None) -> bool:
        rate = self.rates.get(kind, 0.0)
        if rate <= 0:
            return False
        if key is None:
            self._draws[kind] += 1
            label = f"{self.seed}\n{kind}\n#{self._draws[kind]}"
        else:
            label = f"{self.seed}\n{kind}\n={key}"
        drawn = int.from_bytes(sha256(label.encode()).digest()[:8], "big") / 2**64
        return drawn < rate
