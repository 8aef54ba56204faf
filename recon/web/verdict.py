"""The sentence on top of the overview: how things stand, and whether that is still true; pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from recon.reconciliation import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from recon.reconciliation import Run

__all__ = ["Position", "Tone", "Verdict", "judge"]


class Tone(StrEnum):
    """How urgent it is; words say the same as the colour."""

    GOOD = "good"
    WATCH = "watch"
    BAD = "bad"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Position:
    """What stands open in one currency, in minor units.

    ``net`` keeps signs, ``gross`` does not: two opposite differences are no agreement.
    """

    currency: str
    rows: int
    unexplained_rows: int
    net: int
    gross: int
    unexplained: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """How it stands.

    Args:
        tone: how urgent.
        run: the last run that ended, if any.
        running: the run that is under way, if any.
        stale_for: how long ago it ended, when that is too long; else ``None``.
        positions: what stands open, by currency.
    """

    tone: Tone
    run: Run | None
    running: Run | None
    stale_for: timedelta | None
    positions: Sequence[Position]

    @property
    def unexplained_rows(self) -> int:
        """Discrepancies of which some part is not explained."""
        return sum(position.unexplained_rows for position in self.positions)


def judge(
    run: Run | None,
    running: Run | None,
    positions: Sequence[Position],
    *,
    every: timedelta | None,
    now: datetime,
) -> Verdict:
    """Judge the last run and what stands open.

    Args:
        run: the last run over all or all changed wallets that has ended.
        running: the one under way.
        positions: what stands open.
        every: the schedule; ``None``: runs start on demand, and none is ever too old.
        now: the time.

    Returns:
        ``bad`` when the last run failed, is incomplete or older than twice the schedule, ``watch``
        when a discrepancy stands open, ``good`` else, ``none`` before the first run.
    """
    stale_for = None
    if run is not None and every is not None:
        since = now - (run.finished_at or run.started_at)
        stale_for = since if since > 2 * every else None
    if run is None:
        tone = Tone.NONE
    elif stale_for is not None or run.state is not RunState.FINISHED:
        tone = Tone.BAD
    else:
        tone = Tone.WATCH if any(position.rows for position in positions) else Tone.GOOD
    return Verdict(tone, run, running, stale_for, positions)
