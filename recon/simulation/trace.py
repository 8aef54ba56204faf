"""What happened, in order: a hash that two runs of one seed share, and the last lines to read."""

from __future__ import annotations

from collections import Counter, deque
from hashlib import sha256
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Trace"]

_KEPT: Final = 40


class Trace:
    """Every event of a run, hashed as it happens.

    Args:
        passed_s: virtual seconds since the beginning.
        show: sees each line.
    """

    def __init__(
        self, passed_s: Callable[[], float], show: Callable[[str], None] | None = None
    ) -> None:
        self._passed_s = passed_s
        self._show = show
        self._hash = sha256()
        self.last: deque[str] = deque(maxlen=_KEPT)
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, who: str, what: str) -> None:
        """One event.

        Args:
            kind: what it is counted as.
            who: the process, the game or the caller.
            what: the rest of it; nothing in it may depend on the machine.
        """
        self.counts[kind] += 1
        line = f"{self._passed_s():12.6f} {who:<8} {kind} {what}"
        self._hash.update(line.encode() + b"\n")
        self.last.append(line)
        if self._show is not None:
            self._show(line)

    def count(self, kind: str) -> None:
        """One more of a kind, which another event's line has told already."""
        self.counts[kind] += 1

    def digest(self) -> str:
        """The hash of all events so far."""
        return self._hash.hexdigest()
