"""Listen again and again, the longer apart the less it works."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from recon.game.stream.connecting import MISCONFIGURED, Patience, SessionEndedError
from recon.game.stream.session import hear

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from recon.game.stream.connecting import StreamAddress
    from recon.game.stream.news import Bulletin
    from recon.game.stream.watch import StreamWatch

__all__ = ["Backoff", "listen"]

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Backoff:
    """How long to wait between two connections.

    Doubled with each failure and drawn from its upper half, so that clients that were cut off
    together do not come back together. Only a connection that has held for a minute is a success:
    one that breaks at once, again and again, must not be renewed at once for ever.

    Args:
        first_s: after the first failure, at most.
        longest_s: at most, ever.
        first_refused_s: the same where the game does not accept us.
        longest_refused_s: likewise.
        stable_s: how long a connection must have held for the failures before it not to count.
        draw: between 0 and 1.
    """

    first_s: float = 0.5
    longest_s: float = 30.0
    first_refused_s: float = 60.0
    longest_refused_s: float = 900.0
    stable_s: float = 60.0
    draw: Callable[[], float] = random.SystemRandom().random
    failures: int = field(default=0, init=False)
    due_s: float = field(default=0.0, init=False)
    """When to try next, in monotonic seconds: waited for also by whoever begins to listen anew."""

    def after(self, reason: str, *, held_s: float, asked_s: float | None = None) -> float:
        """Seconds to wait now.

        Args:
            reason: as `SessionEndedError` has it.
            held_s: how long the connection listened.
            asked_s: how long the game asked us to wait at least.
        """
        if held_s >= self.stable_s:
            self.failures = 0
        first_s, longest_s = (
            (self.first_refused_s, self.longest_refused_s)
            if reason in MISCONFIGURED
            else (self.first_s, self.longest_s)
        )
        limit_s = min(longest_s, first_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        return max(asked_s or 0.0, limit_s * (0.5 + self.draw() / 2))


async def listen(
    address: StreamAddress,
    bulletin: Bulletin,
    watch: StreamWatch,
    *,
    patience: Patience | None = None,
    backoff: Backoff | None = None,
) -> NoReturn:
    """Listen until cancelled.

    Args:
        address: which stream, and as whom.
        bulletin: where news goes.
        watch: told of everything.
        patience: how long the server may take.
        backoff: how long to wait between two connections; may have been used before.
    """
    patience, backoff = patience or Patience(), backoff or Backoff()
    loop = asyncio.get_running_loop()
    try:
        while True:
            await asyncio.sleep(backoff.due_s - loop.time())
            ended, held_s = await _once(address, bulletin, watch, patience)
            wait_s = backoff.after(ended.reason, held_s=held_s, asked_s=ended.wait_s)
            backoff.due_s = loop.time() + wait_s
            watch.disconnected(ended.reason, ended.detail)
            _tell(ended, held_s, wait_s)
    finally:
        watch.disconnected()


async def _once(
    address: StreamAddress, bulletin: Bulletin, watch: StreamWatch, patience: Patience
) -> tuple[SessionEndedError, float]:
    loop = asyncio.get_running_loop()
    try:
        await hear(address, bulletin, watch, patience)
    except SessionEndedError as error:
        ended = error
    except Exception as error:
        # A fault of ours: bets settle without the stream, so it must not end what it helps.
        log.exception("stream_failed")
        ended = SessionEndedError("fault", type(error).__name__)
    since_s = watch.listening_since_s
    return ended, 0.0 if since_s is None else loop.time() - since_s


def _tell(ended: SessionEndedError, held_s: float, wait_s: float) -> None:
    said = {"reason": ended.reason, "detail": ended.detail, "held_s": round(held_s, 1)}
    if ended.reason in MISCONFIGURED:
        log.error(
            "stream_refused",
            **said,
            retry_in_s=round(wait_s, 1),
            help="check RECON_GAME_URL, RECON_GAME_API_KEY and that it may read:game_state; without"
            " the stream bets settle by asking, later than they could",
        )
    else:
        log.warning("stream_ended", **said, retry_in_s=round(wait_s, 1))
