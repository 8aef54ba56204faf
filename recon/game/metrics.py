"""Numbers of the game's client, for Prometheus; labelled by call, never by player."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge, Histogram

from recon.game.pace import Priority

if TYPE_CHECKING:
    from recon.game.breaker import BreakerState
    from recon.game.pace import Pace

__all__ = [
    "REFUSED_TURNS",
    "TURN_WAIT",
    "WAITING",
    "count_attempt",
    "count_breaker_refusal",
    "count_cached_round",
    "count_limited",
    "count_signature",
    "show_breaker",
    "show_notice",
    "show_pace",
]

_attempts = Counter(
    "recon_game_attempts",
    "Attempts at calls of the game API, by call and status (none: no answer).",
    ["operation", "status"],
)
_seconds = Histogram(
    "recon_game_attempt_seconds",
    "From sending an attempt to its end, whatever that was.",
    ["operation"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
_turn_wait = Histogram(
    "recon_game_turn_wait_seconds",
    "How long calls that could not leave at once have waited for the key's rate limit.",
    ["priority"],
    buckets=(0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 120),
)
_waiting = Gauge("recon_game_turns_waiting", "Calls that wait for the rate limit.", ["priority"])
_refused = Counter(
    "recon_game_turns_refused",
    "Calls that were not sent: the queue was full, or their turn would have come too late.",
    ["priority"],
)
_limit = Gauge("recon_game_rate_limit", "Calls in a window, as the game last told.")
_left = Gauge("recon_game_rate_left", "What is left of this window for this process to send.")
_share = Gauge("recon_game_rate_share", "The part of the allowed pace that is used; 1 is all.")
_limited = Counter("recon_game_rate_limited", "Answers of the game that were a 429.")
_breaker = Gauge("recon_game_breaker_state", "0 closed, 1 half-open, 2 open.")
_opened = Counter("recon_game_breaker_opened", "How often the circuit breaker has opened.")
_not_sent = Counter("recon_game_breaker_refused", "Calls not sent because the breaker was open.")
_rounds = Counter(
    "recon_game_round_cache",
    "Questions for one round: hit (not asked), revalidated (304), asked.",
    ["result"],
)
_signatures = Counter(
    "recon_game_signatures",
    "Signed attempts that the game's signature check let through, by place of the secret; 0 is the"
    " newest.",
    ["place"],
)
_notices = Gauge(
    "recon_game_notices",
    "1 for what the game has announced: api_version, deprecation, sunset.",
    ["kind", "operation"],
)
_ends = Gauge(
    "recon_game_sunset_timestamp_seconds",
    "When a call of the game's API ends, as it says in Sunset.",
    ["operation"],
)

TURN_WAIT: Final = tuple(_turn_wait.labels(priority.name.lower()) for priority in Priority)
WAITING: Final = tuple(_waiting.labels(priority.name.lower()) for priority in Priority)
REFUSED_TURNS: Final = tuple(_refused.labels(priority.name.lower()) for priority in Priority)


@cache
def _counter_of(operation: str, status: int | None) -> Counter:
    return _attempts.labels(operation, "none" if status is None else str(status))


@cache
def _histogram_of(operation: str) -> Histogram:
    return _seconds.labels(operation)


def count_attempt(operation: str, status: int | None, latency_s: float) -> None:
    """Count an attempt that is over.

    Args:
        operation: the call's name, without ids.
        status: of the answer, None without one.
        latency_s: from sending to its end.
    """
    _counter_of(operation, status).inc()
    _histogram_of(operation).observe(latency_s)


def show_pace(pace: Pace) -> None:
    """Show from now on what the answers have told of a key's budget; read when somebody looks."""
    _limit.set_function(lambda: pace.limit or 0)
    _left.set_function(lambda: pace.left or 0)
    _share.set_function(lambda: pace.share)


def count_limited() -> None:
    """An answer of the game was a 429."""
    _limited.inc()


def show_breaker(state: BreakerState, *, opened: bool = False) -> None:
    """Show how the breaker stands."""
    _breaker.set(state)
    if opened:
        _opened.inc()


def count_breaker_refusal() -> None:
    """A call was not sent because the breaker is open."""
    _not_sent.inc()


def count_cached_round(result: str) -> None:
    """Count a question for one round: ``hit``, ``revalidated`` or ``asked``."""
    _rounds.labels(result).inc()


def count_signature(place: int) -> None:
    """Count a signed attempt that the game's check of signatures let through."""
    _signatures.labels(str(place)).inc()


def show_notice(kind: str, operation: str, ends_at_s: float | None) -> None:
    """Show what the game has announced; ``ends_at_s`` since 1970 for a sunset that can be read."""
    _notices.labels(kind, operation).set(1)
    if kind == "sunset" and ends_at_s is not None:
        _ends.labels(operation).set(ends_at_s)
