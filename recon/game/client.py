"""The game API's REST calls, typed. Errors are those of `recon.game.errors`."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self, TypeVar
from urllib.parse import quote

from recon.clock import now
from recon.errors import Invalid
from recon.game import wire
from recon.game.calling import Call, Caller
from recon.game.errors import GameProtocolError, GameSettingsInvalid
from recon.game.model import RoundAnswer
from recon.game.retrying import RetryPolicy
from recon.game.signing import SigningMiddleware
from recon.game.transport import AiohttpTransport, checked_base_url
from recon.money import exponent_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from recon.game.calling import Attempt
    from recon.game.model import (
        Bet,
        CashOut,
        GameBalance,
        GameRound,
        GameState,
        Hold,
        KeyOutcome,
        Payout,
    )
    from recon.game.notices import Notice, RateLimits
    from recon.game.transport import Transport
    from recon.game.verdicts import Answer

__all__ = ["GameClient"]

_T = TypeVar("_T")

_NOT_MODIFIED: Final = 304
_MAX_ID_CHARS: Final = 255
_EMPTY_BODY: Final = b"{}"


class GameClient:
    """One game environment, one API key; an async context that owns its connections.

    Every call raises `GameUnavailable`, `GameMisconfigured` and `GameRefused`; a GET also
    `GameProtocolError`, a POST also `GameOutcomeUnknown`. A user, currency or id that cannot be put
    into a request at all is `Invalid`, and nothing is sent. Keys and secrets are never shown.

    Args:
        base_url: ``https://…``; ``http://`` only to loopback.
        api_key: ``ck_sandbox_…`` or ``ck_live_…``.
        signing_secret: signs the POSTs.
        timeout_s: for one attempt.
        connections: at most so many at once; 128 carry 2000 GETs a second at 60 ms each.
        retry: how often and how long a call is tried.
        on_attempt: sees every attempt when it is over; must be quick.
        transport: carries attempts instead of HTTP; its maker opens and closes it.
        clock: the wall clock.
        sleep: waits between attempts.
        rng: nonces, request ids and jitter; the system's entropy by default.

    Raises:
        GameSettingsInvalid: the URL, key or secret cannot be used.
    """

    def __init__(  # noqa: PLR0913 - each is a setting or a seam, all but three have a default
        self,
        base_url: str,
        api_key: str,
        signing_secret: str,
        *,
        timeout_s: float = 5.0,
        connections: int = 128,
        retry: RetryPolicy | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
        transport: Transport | None = None,
        clock: Callable[[], datetime] = now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._base_url = checked_base_url(base_url)
        for name, text in (("API key", api_key), ("signing secret", signing_secret)):
            if not (text and text.isascii() and text.isprintable() and " " not in text):
                raise GameSettingsInvalid(f"the game's {name} is empty or not printable ASCII")
        if timeout_s <= 0 or connections <= 0:
            raise GameSettingsInvalid("the game's timeout and connections must be above zero")
        dice = rng or random.SystemRandom()
        self._owned = None
        if transport is None:
            transport = self._owned = AiohttpTransport(
                self._base_url,
                api_key=api_key,
                signer=SigningMiddleware(signing_secret, clock=clock, rng=dice),
                timeout_s=timeout_s,
                connections=connections,
            )
        self._caller = Caller(
            transport,
            policy=retry or RetryPolicy(),
            on_attempt=on_attempt,
            clock=clock,
            sleep=sleep,
            rng=dice,
        )
        self._open = AsyncExitStack()

    def __repr__(self) -> str:
        return f"GameClient({self._base_url!r}, api_key=***, signing_secret=***)"

    async def __aenter__(self) -> Self:
        if self._owned is not None:
            await self._open.enter_async_context(self._owned)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def limits(self) -> RateLimits | None:
        """The key's rate limits as last seen; None before the first answer."""
        return self._caller.limits

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the game has announced: another major version, deprecations, sunsets."""
        return self._caller.board.notices

    async def state(self) -> GameState:
        """The round that is on now; never cached."""
        return await self._get("/api/v1/game/state", "/api/v1/game/state", wire.read_state)

    async def rounds(self, limit: int = 50, before: str | None = None) -> tuple[GameRound, ...]:
        """A page of rounds, newest first.

        Args:
            limit: at most so many, 1 or more.
            before: only rounds older than this one.
        """
        if limit < 1:
            raise Invalid("a page holds one round or more")
        target = f"/api/v1/game/rounds?limit={limit}"
        if before is not None:
            target += f"&before={_quoted(before, 'round id')}"
        return await self._get("/api/v1/game/rounds", target, wire.read_rounds)

    async def round(self, round_id: str) -> GameRound:
        """One round."""
        found = (await self.round_answer(round_id)).round
        if found is None:  # judged: without validators 304 is no answer
            raise GameProtocolError("304 to a request without validators")
        return found

    async def round_answer(
        self, round_id: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> RoundAnswer:
        """One round with its validators, or word that the copy with these still holds."""
        validators = {
            name: _header(value, "validator")
            for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified))
            if value is not None
        }

        def read(answer: Answer) -> RoundAnswer:
            new_etag = answer.headers.get("ETag")
            new_modified = answer.headers.get("Last-Modified")
            if answer.status == _NOT_MODIFIED:
                return RoundAnswer(None, new_etag or etag, new_modified or last_modified)
            found = wire.read_round(answer.body)
            _same("round", round_id, found.round_id)
            return RoundAnswer(found, new_etag, new_modified)

        target = f"/api/v1/game/rounds/{_segment(round_id, 'round id')}"
        return await self._caller.make(
            Call("GET /api/v1/game/rounds/{round_id}", target, read, validators=validators)
        )

    async def balance(self, user_id: str, currency: str) -> GameBalance:
        """A player's balance in one currency; never cached."""
        exponent_of(currency)

        def read(body: bytes) -> GameBalance:
            found = wire.read_balance(body)
            _same("user", user_id, found.user_id)
            _same("currency", currency, found.currency)
            return found

        path = "/api/v1/user/balance"
        return await self._get(path, f"{path}?currency={currency}", read, user_id)

    async def hold(self, user_id: str, *, idempotency_key: str, body: bytes) -> Hold:
        """Ask the game to set a stake aside.

        Args:
            user_id: whose stake.
            idempotency_key: one per intent, the same for ever.
            body: the bytes of `hold_body`, kept by the caller before this call.
        """
        asked = wire.read_hold_request(body)
        stake, target = asked.stake(), asked.target()

        def read(answer: bytes) -> Hold:
            hold = wire.read_hold(answer)
            _same("user", user_id, hold.user_id)
            _same("round", asked.round_id, hold.round_id)
            _same("stake", stake, hold.amount)
            _same("auto_cashout", target, hold.auto_cashout)
            return hold

        path = "/api/v1/bets/holds"
        return await self._post(path, path, read, user_id, idempotency_key, body)

    async def confirm(self, user_id: str, hold_id: str, idempotency_key: str) -> Bet:
        """Turn a hold into a bet."""

        def read(body: bytes) -> Bet:
            bet = wire.read_bet(body)
            _same("user", user_id, bet.user_id)
            _same("hold", hold_id, bet.hold_id)
            return bet

        target = f"/api/v1/bets/holds/{_segment(hold_id, 'hold id')}/confirm"
        operation = "/api/v1/bets/holds/{hold_id}/confirm"
        return await self._post(operation, target, read, user_id, idempotency_key, _EMPTY_BODY)

    async def release(self, user_id: str, hold_id: str, idempotency_key: str) -> None:
        """Give a hold's stake back to the player."""

        def read(body: bytes) -> None:
            released = wire.read_release(body)
            if released is not None:
                _same("hold", hold_id, released)

        target = f"/api/v1/bets/holds/{_segment(hold_id, 'hold id')}/release"
        operation = "/api/v1/bets/holds/{hold_id}/release"
        await self._post(operation, target, read, user_id, idempotency_key, _EMPTY_BODY)

    async def cashout(self, user_id: str, ticket_id: str, idempotency_key: str) -> CashOut:
        """Cash a bet out at the multiplier of this moment."""

        def read(body: bytes) -> CashOut:
            cash_out = wire.read_cash_out(body)
            _same("ticket", ticket_id, cash_out.ticket_id)
            return cash_out

        target = f"/api/v1/bets/{_segment(ticket_id, 'ticket id')}/cashout"
        operation = "/api/v1/bets/{ticket_id}/cashout"
        return await self._post(operation, target, read, user_id, idempotency_key, _EMPTY_BODY)

    async def bet(self, user_id: str, ticket_id: str) -> Bet:
        """A bet by its ticket."""

        def read(body: bytes) -> Bet:
            bet = wire.read_bet(body)
            _same("user", user_id, bet.user_id)
            _same("ticket", ticket_id, bet.ticket_id)
            return bet

        target = f"/api/v1/bets/{_segment(ticket_id, 'ticket id')}"
        return await self._get("/api/v1/bets/{ticket_id}", target, read, user_id)

    async def bet_by_key(self, user_id: str, idempotency_key: str) -> KeyOutcome:
        """What a hold's idempotency key led to: how an unknown outcome is settled."""

        def read(body: bytes) -> KeyOutcome:
            outcome = wire.read_key_outcome(body)
            for found in (outcome.hold, outcome.bet):
                if found is not None:
                    _same("user", user_id, found.user_id)
            if outcome.hold is not None and outcome.bet is not None:
                _same("hold", outcome.hold.hold_id, outcome.bet.hold_id)
                _same("stake", outcome.hold.amount, outcome.bet.amount)
            return outcome

        path = "/api/v1/bets"
        target = f"{path}?idempotency_key={_quoted(idempotency_key, 'idempotency key')}"
        return await self._get(path, target, read, user_id)

    async def payout(self, user_id: str, transaction_id: str) -> Payout:
        """A payout; only ``completed`` is definitive."""

        def read(body: bytes) -> Payout:
            payout = wire.read_payout(body)
            _same("payout", transaction_id, payout.transaction_id)
            return payout

        target = f"/api/v1/payouts/{_segment(transaction_id, 'transaction id')}"
        return await self._get("/api/v1/payouts/{transaction_id}", target, read, user_id)

    async def _get(
        self,
        path: str,
        target: str,
        read: Callable[[bytes], _T],
        user_id: str | None = None,
    ) -> _T:
        user = None if user_id is None else _header(user_id, "user id")
        return await self._caller.make(
            Call(f"GET {path}", target, lambda answer: read(answer.body), user)
        )

    async def _post(
        self,
        path: str,
        target: str,
        read: Callable[[bytes], _T],
        user_id: str,
        idempotency_key: str,
        body: bytes,
    ) -> _T:
        user = _header(user_id, "user id")
        key = _header(idempotency_key, "idempotency key")
        return await self._caller.make(
            Call(f"POST {path}", target, lambda answer: read(answer.body), user, key, body)
        )


def _header(value: str, what: str) -> str:
    """A value that arrives as it was sent: no control characters, no space at either end."""
    if not value or len(value) > _MAX_ID_CHARS or not value.isprintable() or value != value.strip():
        raise Invalid(f"{value[:64]!r} cannot be sent as a {what}", code="invalid_id")
    return value


def _quoted(value: str, what: str) -> str:
    return quote(_header(value, what), safe="")


def _segment(value: str, what: str) -> str:
    """An id as one segment of a path, which dots alone would climb out of."""
    if value in {".", ".."}:
        raise Invalid(f"{value!r} cannot be sent as a {what}", code="invalid_id")
    return _quoted(value, what)


def _same(what: str, asked: object, answered: object) -> None:
    if asked != answered:
        raise GameProtocolError(f"asked about {what} {asked}, the game answered about {answered}")
