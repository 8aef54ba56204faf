"""The crash engine: one round after another, betting → active → crashed → payout.

The game API's page gives a round four statuses and no word for a finished or a cancelled one. A
finished round therefore keeps ``payout``, and a cancelled one goes straight to ``payout`` (its
stakes are paid back) without a crash multiplier.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from recon.clock import format_time
from recon.sandbox.curve import ONE, Curve, as_multiplier, crash_hundredths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from recon.sandbox.options import SandboxOptions
    from recon.sandbox.timeline import Timeline

__all__ = ["ROUNDS_KEPT", "CrashEngine", "Round"]

ROUNDS_KEPT: Final = 10_000
"""How many past rounds stay readable."""


@dataclass(slots=True)
class Round:
    """A round.

    Attributes:
        round_id: names the sandbox's start and the number, so that a restart repeats no id.
        number: from 1.
        crash_at: the seeded crash point, in hundredths; nobody sees it before the crash.
        started_at: when its betting opened.
        status: ``betting``, ``active``, ``crashed`` or ``payout``.
        active_from: when it took off, in monotonic seconds; None before.
        flown_ms: how long it flew; None until it has crashed or was cancelled.
        crashed_at: when it crashed; None before, and for ever when it was cancelled.
        finished_at: when its paying out ended; None before.
        cancelled: its bets are void.
        participants: who holds a bet in it.
    """

    round_id: str
    number: int
    crash_at: int
    started_at: datetime
    status: str = "betting"
    active_from: float | None = None
    flown_ms: int | None = None
    crashed_at: datetime | None = None
    finished_at: datetime | None = None
    cancelled: bool = False
    participants: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """The round as the API shows it."""
        return {
            "round_id": self.round_id,
            "status": self.status,
            "crash_multiplier": as_multiplier(self.crash_at) if self.crashed_at else None,
            "started_at": format_time(self.started_at),
            "crashed_at": format_time(self.crashed_at) if self.crashed_at else None,
            "participants": len(self.participants),
        }


class CrashEngine:
    """Runs the rounds on a timeline.

    Listeners hear each change of a round's status, in the order in which they were added, at the
    monotonic instant at which it was due.

    Args:
        options: the seed and the durations.
        timeline: where the phases are set.
    """

    current: Round

    def __init__(self, options: SandboxOptions, timeline: Timeline) -> None:
        self._options = options
        self._timeline = timeline
        self._listeners: list[Callable[[Round, float], None]] = []
        self.curve = Curve(int(options.cap_multiplier * ONE), int(options.max_active_s * 1000))
        self.rounds: dict[str, Round] = {}
        self._start = ""
        self._opened = 0

    def listen(self, listener: Callable[[Round, float], None]) -> None:
        """Call ``listener(round, due)`` at each change of status."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Open the first round now."""
        self._start = f"{int(self._timeline.clock.now().timestamp() * 1000):x}"
        self._open(self._timeline.clock.monotonic())

    def elapsed_ms(self, round_: Round, reached: float) -> int:
        """How long a round has flown at a monotonic instant, or flew in all."""
        if round_.flown_ms is not None:
            return round_.flown_ms
        if round_.active_from is None:
            return 0
        return int((reached - round_.active_from) * 1000)

    def multiplier(self, round_: Round, reached: float) -> int:
        """The multiplier at a monotonic instant, in hundredths."""
        return self.curve.at(self.elapsed_ms(round_, reached))

    def newest_first(self) -> Iterator[Round]:
        """Every round that is still known, the current one first."""
        return reversed(self.rounds.values())

    def cancel_current(self, reached: float) -> Round | None:
        """Cancel the current round; None when it has crashed already."""
        round_ = self.current
        if round_.status not in {"betting", "active"}:
            return None
        round_.flown_ms = self.elapsed_ms(round_, reached)
        round_.cancelled = True
        self._pay(round_, reached)
        return round_

    def _open(self, due: float) -> None:
        self._opened += 1
        number = self._opened
        self.current = Round(
            round_id=f"r_{self._start}_{number}",
            number=number,
            crash_at=crash_hundredths(self._options.seed, number, self.curve.cap),
            started_at=self._timeline.instant(due),
        )
        self.rounds[self.current.round_id] = self.current
        if len(self.rounds) > ROUNDS_KEPT:
            del self.rounds[next(iter(self.rounds))]
        round_ = self.current
        self._timeline.at(due + self._options.betting_s, lambda at: self._activate(round_, at))
        self._tell(round_, due)

    def _activate(self, round_: Round, due: float) -> None:
        if round_.cancelled:
            return
        round_.status = "active"
        round_.active_from = due
        # Listeners first: a cash-out at the very crash point is set before the crash and wins.
        self._tell(round_, due)
        flight_s = self.curve.reached_ms(round_.crash_at) / 1000
        self._timeline.at(due + flight_s, lambda at: self._crash(round_, at))

    def _crash(self, round_: Round, due: float) -> None:
        if round_.cancelled:
            return
        round_.status = "crashed"
        round_.crashed_at = self._timeline.instant(due)
        round_.flown_ms = self.curve.reached_ms(round_.crash_at)
        self._timeline.at(due + self._options.crashed_s, lambda at: self._pay(round_, at))
        self._tell(round_, due)

    def _pay(self, round_: Round, due: float) -> None:
        round_.status = "payout"
        # Listeners first: a payout due at the very end is completed before the next round opens.
        self._tell(round_, due)
        self._timeline.at(due + self._options.payout_s, lambda at: self._finish(round_, at))

    def _finish(self, round_: Round, due: float) -> None:
        round_.finished_at = self._timeline.instant(due)
        self._open(due)

    def _tell(self, round_: Round, due: float) -> None:
        for listener in self._listeners:
            listener(round_, due)
