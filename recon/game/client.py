"""`GameClient`: one game environment behind one API key."""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Self

from recon.clock import now
from recon.game.asking_bets import BetCalls
from recon.game.asking_game import GameCalls
from recon.game.calling import Caller
from recon.game.errors import GameSettingsInvalid
from recon.game.retrying import RetryPolicy
from recon.game.signing import SigningMiddleware
from recon.game.transport import AiohttpTransport, checked_base_url

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime

    from recon.game.attempts import Attempt
    from recon.game.breaker import BreakerPolicy
    from recon.game.notices import Notice, RateLimits
    from recon.game.transport import Transport

__all__ = ["GameClient"]


class GameClient(GameCalls, BetCalls):
    """One game environment, one API key; an async context that owns its connections.

    Every call raises `GameUnavailable`, `GameMisconfigured` and `GameRefused`; a GET also
    `GameProtocolError`, a POST also `GameOutcomeUnknown`. A user, currency or id that cannot be put
    into a request at all is `Invalid`, and nothing is sent. Keys and secrets are never shown.

    Args:
        base_url: ``https://…``; ``http://`` only to loopback.
        api_key: ``ck_sandbox_…`` or ``ck_live_…``.
        signing_secret: signs the POSTs.
        previous_signing_secret: the one before, while it is being rotated; used as long as the game
            does not accept the other.
        timeout_s: for one attempt.
        connections: at most so many at once; 128 carry 2000 GETs a second at 60 ms each.
        retry: how often and how long a call is tried.
        breaker: when calls are not sent any more because none is answered.
        on_attempt: sees every attempt when it is over; must be quick.
        transport: carries attempts instead of HTTP; its maker opens and closes it.
        clock: the wall clock.
        monotonic: seconds from any origin, never backwards; the event loop's by default.
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
        previous_signing_secret: str | None = None,
        timeout_s: float = 5.0,
        connections: int = 128,
        retry: RetryPolicy | None = None,
        breaker: BreakerPolicy | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
        transport: Transport | None = None,
        clock: Callable[[], datetime] = now,
        monotonic: Callable[[], float] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        rng: random.Random | None = None,
    ) -> None:
        self._base_url = checked_base_url(base_url)
        secrets = [("API key", api_key), ("signing secret", signing_secret)]
        if previous_signing_secret is not None:
            secrets.append(("previous signing secret", previous_signing_secret))
        for name, text in secrets:
            if not (text and text.isascii() and text.isprintable() and " " not in text):
                raise GameSettingsInvalid(f"the game's {name} is empty or not printable ASCII")
        # By the prefixes that the portal gives them, where they have one.
        if len({_environment(text) for _, text in secrets} - {None}) > 1:
            raise GameSettingsInvalid("the game's key and secrets are of sandbox and live, mixed")
        if timeout_s <= 0 or connections <= 0:
            raise GameSettingsInvalid("the game's timeout and connections must be above zero")
        dice = rng or random.SystemRandom()
        self._owned = None
        if transport is None:
            transport = self._owned = AiohttpTransport(
                self._base_url,
                api_key=api_key,
                signer=SigningMiddleware(signing_secret, clock=clock, rng=dice),
                previous=None
                if previous_signing_secret is None
                else SigningMiddleware(previous_signing_secret, place=1, clock=clock, rng=dice),
                timeout_s=timeout_s,
                connections=connections,
            )
        caller = Caller(
            transport,
            policy=retry or RetryPolicy(),
            on_attempt=on_attempt,
            breaker=breaker,
            has_previous_secret=self._owned is not None and previous_signing_secret is not None,
            clock=clock,
            monotonic=monotonic,
            sleep=sleep,
            rng=dice,
        )
        super().__init__(caller)
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

    def on_return(self, tell: Callable[[], None]) -> AbstractContextManager[None]:
        """While this lasts, tell whenever the game answers again after it was given up for a while.

        Args:
            tell: must be quick, and raise nothing.
        """
        return self._caller.on_return(tell)

    def doubt(self) -> None:
        """Others get no answer: one question is to find out before anything else is sent."""
        self._caller.doubt()

    @property
    def queue_s(self) -> float:
        """How long a question would wait for its turn at least; zero where nobody waits."""
        return self._caller.queue_s

    def note(self, operation: str, headers: Mapping[str, str]) -> None:
        """Take note of what an answer to somebody else's call announces, such as the stream's."""
        self._caller.board.read(operation, headers, self._caller.now())

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What the game has announced: another major version, deprecations, sunsets."""
        return self._caller.board.notices

    @property
    def announcements(self) -> tuple[tuple[Notice, datetime], ...]:
        """The same, each with when an answer last said so."""
        return self._caller.board.announcements


def _environment(text: str) -> str | None:
    """``sandbox`` or ``live``, where a key or secret says which it is of."""
    kind, _, rest = text.partition("_")
    name = rest.partition("_")[0]
    return name if kind in {"ck", "sk"} and name in {"sandbox", "live"} else None
