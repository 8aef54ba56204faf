"""Finished rounds, kept by their validators: the only answers of the game that are ever repeated.

A round is kept once it is a few minutes old, when its payouts are done and nothing about it changes
any more, for as long as the game says and an hour at most; then the game is asked whether the copy
still holds. What says ``no-store`` is never kept, whatever it is.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from recon.game.metrics import count_cached_round
from recon.game.model import RoundStatus
from recon.game.wire.scalars import is_sendable

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recon.game.model import GameRound, RoundAnswer

__all__ = ["KeptRound", "RoundCache"]

_OLD: Final = timedelta(minutes=5)
_LONGEST: Final = timedelta(hours=1)
_MOST: Final = 1024
_MAX_AGE: Final = re.compile(r"(?:^|[\s,])max-age=(\d{1,9})(?:$|[\s,])")
_FINISHED: Final = frozenset({RoundStatus.CRASHED, RoundStatus.PAYOUT})


@dataclass(frozen=True, slots=True)
class KeptRound:
    """A copy, with what the game is asked by whether it still holds."""

    round: GameRound
    etag: str | None
    last_modified: str | None
    cache_control: str | None
    fresh_until: datetime


class RoundCache:
    """The rounds last used, so many at most.

    Args:
        clock: the wall clock.
        most: rounds kept.
    """

    def __init__(self, clock: Callable[[], datetime], most: int = _MOST) -> None:
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[str, KeptRound] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def kept(self, round_id: str) -> KeptRound | None:
        """The copy of a round, fresh or not."""
        kept = self._kept.get(round_id)
        if kept is not None:
            self._kept.move_to_end(round_id)
        return kept

    def is_fresh(self, kept: KeptRound) -> bool:
        """Whether the game need not be asked."""
        fresh = self._clock() < kept.fresh_until
        if fresh:
            count_cached_round("hit")
        return fresh

    def renewed(self, kept: KeptRound, answer: RoundAnswer) -> GameRound:
        """The game said 304: the copy holds for as long as it now says."""
        count_cached_round("revalidated")
        # What a 304 leaves out stands as it was (RFC 9111, 4.3.4).
        control = kept.cache_control if answer.cache_control is None else answer.cache_control
        for_s = _fresh_for(control)
        if for_s is None:
            self._kept.pop(kept.round.round_id, None)
        else:
            self._keep(
                replace(
                    kept,
                    etag=_sendable(answer.etag),
                    last_modified=_sendable(answer.last_modified),
                    cache_control=control,
                    fresh_until=self._clock() + for_s,
                )
            )
        return kept.round

    def learned(self, found: GameRound, answer: RoundAnswer) -> None:
        """The game has told a round anew; it is kept if it may be."""
        count_cached_round("asked")
        self._kept.pop(found.round_id, None)
        fresh_for = _fresh_for(answer.cache_control)
        crashed_at, now = found.crashed_at, self._clock()
        if (
            fresh_for is None
            or crashed_at is None
            or found.status not in _FINISHED
            or now - crashed_at < _OLD
        ):
            return
        self._keep(
            KeptRound(
                found,
                etag=_sendable(answer.etag),
                last_modified=_sendable(answer.last_modified),
                cache_control=answer.cache_control,
                fresh_until=now + fresh_for,
            )
        )

    def _keep(self, kept: KeptRound) -> None:
        self._kept[kept.round.round_id] = kept
        self._kept.move_to_end(kept.round.round_id)
        while len(self._kept) > self._most:
            self._kept.popitem(last=False)


def _sendable(validator: str | None) -> str | None:
    """A validator that the game can be asked by; without one it is asked anew."""
    return validator if validator is not None and is_sendable(validator) else None


def _fresh_for(cache_control: str | None) -> timedelta | None:
    """How long a copy need not be asked about; None where none may be kept (RFC 9111, 5.2.2)."""
    said = "" if cache_control is None else cache_control.lower()
    if "no-store" in said:
        return None
    if "no-cache" in said:
        return timedelta(0)
    found = _MAX_AGE.search(said)
    return _LONGEST if found is None else min(_LONGEST, timedelta(seconds=int(found[1])))
