"""The game's own books: what each player has available and held, and every movement.

The game API moves no money in or out of itself; the PSPs do, through `GameBackend.credit` and
`GameBackend.debit`, which stand for the calls that a PSP makes to the game's own backend.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recon.clock import format_time
from recon.errors import Conflict, Invalid
from recon.money import exponent_of, format_minor
from recon.sandbox.wire import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from recon.sandbox.timeline import Clock

__all__ = ["GameBackend", "GameWallet", "Movement", "Player"]


@dataclass(frozen=True, slots=True)
class Movement:
    """One movement on one wallet.

    Attributes:
        kind: ``credit``, ``debit`` (by a PSP), ``opening``, ``hold``, ``release``, ``expiry``,
            ``stake``, ``payout`` or ``void``.
        user_id: whose wallet.
        currency: of the wallet.
        amount_minor: what moved, never below zero.
        available_minor: what it did to ``available``, signed.
        held_minor: what it did to ``held``, signed.
        ref: the hold, ticket, payout or payment it belongs to.
        at: when.
    """

    kind: str
    user_id: str
    currency: str
    amount_minor: int
    available_minor: int
    held_minor: int
    ref: str
    at: datetime

    def as_json(self) -> dict[str, Any]:
        """The movement with decimal strings."""
        return {
            "kind": self.kind,
            "currency": self.currency,
            "amount": format_minor(self.amount_minor, self.currency),
            "available": format_minor(self.available_minor, self.currency),
            "held": format_minor(self.held_minor, self.currency),
            "ref": self.ref,
            "at": format_time(self.at),
        }


@dataclass(slots=True)
class GameWallet:
    """A player's money in one currency, in minor units; ``available`` excludes ``held``."""

    available: int = 0
    held: int = 0


@dataclass(slots=True)
class Player:
    """A player as the game knows one; ``allowed`` False: the key gets ``user_not_allowed``."""

    user_id: str
    allowed: bool = True
    wallets: dict[str, GameWallet] = field(default_factory=dict)
    journal: list[Movement] = field(default_factory=list)


class GameBackend:
    """Every player's balances, and the house on the other side of every bet.

    For each currency: the players' money plus the house's equals what the PSPs brought in.

    Args:
        clock: stamps the movements.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.players: dict[str, Player] = {}
        self.journal: list[Movement] = []
        self.house: Counter[str] = Counter()
        self.brought_in: Counter[str] = Counter()

    # What a PSP tells the game's backend.

    def credit(self, user_id: str, currency: str, amount_minor: int, *, ref: str = "") -> None:
        """Money came in; opens the player and the wallet where needed.

        Args:
            user_id: the player.
            currency: of the wallet.
            amount_minor: above zero.
            ref: the PSP's payment id, for the journal.

        Raises:
            Invalid: ``unknown_currency``, or ``invalid_amount`` for an amount not above zero.
        """
        self._external("credit", user_id, currency, amount_minor, ref)

    def debit(self, user_id: str, currency: str, amount_minor: int, *, ref: str = "") -> None:
        """Money went out; may overdraw, because what a PSP did is a fact.

        Raises:
            Invalid: as `credit`.
        """
        self._external("debit", user_id, currency, amount_minor, ref)

    def open_wallet(self, user_id: str, currency: str, available_minor: int) -> None:
        """Open a wallet with money already in it, as if it had been there before.

        Raises:
            Conflict: ``wallet_exists``.
            Invalid: ``unknown_currency``; ``invalid_amount`` for an amount below zero.
        """
        exponent_of(currency)
        if available_minor < 0:
            raise Invalid("a wallet opens with zero or more", code="invalid_amount")
        if currency in self._player(user_id).wallets:
            raise Conflict(f"{user_id} has a {currency} wallet already", code="wallet_exists")
        self._player(user_id).wallets[currency] = GameWallet()
        if available_minor:
            self._external("opening", user_id, currency, available_minor, "")

    # What a bet does.

    def wallet(self, user_id: str, currency: str) -> GameWallet:
        """A player's wallet.

        Raises:
            Refused: ``currency_mismatch`` when the player has none in this currency.
        """
        try:
            return self.players[user_id].wallets[currency]
        except KeyError:
            raise Refused(
                "currency_mismatch", f"the player has no wallet in {currency[:16]}"
            ) from None

    def hold(self, user_id: str, currency: str, amount_minor: int, *, ref: str) -> None:
        """Move a stake from ``available`` into ``held``.

        Raises:
            Refused: ``currency_mismatch``; ``insufficient_balance``.
        """
        if self.wallet(user_id, currency).available < amount_minor:
            raise Refused("insufficient_balance", "the stake is more than what is available")
        self._move("hold", user_id, currency, amount_minor, -1, 1, ref)

    def release(self, user_id: str, currency: str, amount_minor: int, *, ref: str) -> None:
        """Give a held stake back because the caller released it."""
        self._move("release", user_id, currency, amount_minor, 1, -1, ref)

    def expire(self, user_id: str, currency: str, amount_minor: int, *, ref: str) -> None:
        """Give a held stake back because nobody confirmed it in time."""
        self._move("expiry", user_id, currency, amount_minor, 1, -1, ref)

    def stake(self, user_id: str, currency: str, amount_minor: int, *, ref: str) -> None:
        """Take a held stake into play."""
        self._move("stake", user_id, currency, amount_minor, 0, -1, ref)

    def pay_out(self, user_id: str, currency: str, amount_minor: int, *, ref: str) -> None:
        """Credit a payout."""
        self._move("payout", user_id, currency, amount_minor, 1, 0, ref)

    def give_back(self, user_id: str, currency: str, amount_minor: int, *, ref: str) -> None:
        """Return the stake of a void bet."""
        self._move("void", user_id, currency, amount_minor, 1, 0, ref)

    def held_by_players(self, currency: str) -> int:
        """The sum of what all players have, available and held, in minor units."""
        wallets = (player.wallets.get(currency) for player in self.players.values())
        return sum(wallet.available + wallet.held for wallet in wallets if wallet)

    def _player(self, user_id: str) -> Player:
        player = self.players.get(user_id)
        if player is None:
            player = self.players[user_id] = Player(user_id)
        return player

    def _external(
        self, kind: str, user_id: str, currency: str, amount_minor: int, ref: str
    ) -> None:
        exponent_of(currency)
        if amount_minor <= 0:
            raise Invalid("an amount must be above zero", code="invalid_amount")
        sign = -1 if kind == "debit" else 1
        self._player(user_id).wallets.setdefault(currency, GameWallet())
        self.brought_in[currency] += sign * amount_minor
        self._move(kind, user_id, currency, amount_minor, sign, 0, ref, house=0)

    def _move(
        self,
        kind: str,
        user_id: str,
        currency: str,
        amount_minor: int,
        available: int,
        held: int,
        ref: str,
        *,
        house: int | None = None,
    ) -> None:
        player = self.players[user_id]
        wallet = player.wallets[currency]
        wallet.available += available * amount_minor
        wallet.held += held * amount_minor
        # What leaves the player goes to the house, unless it came from outside.
        self.house[currency] += (-(available + held) if house is None else house) * amount_minor
        movement = Movement(
            kind,
            user_id,
            currency,
            amount_minor,
            available * amount_minor,
            held * amount_minor,
            ref,
            self._clock.now(),
        )
        player.journal.append(movement)
        self.journal.append(movement)
