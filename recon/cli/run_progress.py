"""How far a run is, for people: a bar on a terminal, a line now and then elsewhere; on stderr."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from recon.cli.context import progress_console
from recon.reconciliation import Phase

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from recon.reconciliation import Run

__all__ = ["RunProgress"]

_LINE_EVERY_S: Final = 10.0
_PHASES: Final = {
    Phase.CUTTING: "Finding the wallets",
    Phase.SWEEPING: "Comparing",
    Phase.PAUSED: "So much differs that it is looked into",
    Phase.LOOKING_AGAIN: "Looking again",
}


class RunProgress:
    """Shows a run while it is under way.

    Args:
        quiet: show nothing.
        on: where; on what is no terminal it is a plain line every ten seconds.
    """

    def __init__(self, *, quiet: bool, on: Console = progress_console) -> None:
        self._quiet = quiet
        self._console = on
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[told]}"),
            console=on,
            transient=True,
            disable=quiet or not on.is_terminal,
        )
        self._task = self._bar.add_task("Starting", total=None, told="")
        self._line_at_s = time.monotonic()

    def __enter__(self) -> Self:
        """Begin to show."""
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave nothing behind on a terminal."""
        self._bar.stop()

    def show(self, run: Run) -> None:
        """Show how far it is."""
        if self._quiet or run.progress is None:
            return
        if self._console.is_terminal:
            self._bar.update(
                self._task,
                description=_doing(run),
                total=run.wallets.total or None,
                completed=run.progress.compared,
                told=_told(run),
            )
        elif time.monotonic() >= self._line_at_s + _LINE_EVERY_S:
            self._line_at_s = time.monotonic()
            line = f"{_doing(run)}: {run.progress.compared} of {run.wallets.total}; {_told(run)}"
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)


def _doing(run: Run) -> str:
    progress = run.progress
    if progress is None:
        return ""
    phase = _PHASES[progress.phase]
    if progress.phase is Phase.LOOKING_AGAIN and progress.next_look_in_s is not None:
        return f"{phase} in {progress.next_look_in_s:.0f} s"
    return phase


def _told(run: Run) -> str:
    progress, counts = run.progress, run.wallets
    if progress is None:
        return ""
    told = [f"{counts.agreed} agree", f"{counts.discrepant} differ"]
    told += [f"{progress.waiting} to look at again"] if progress.waiting else []
    told += [f"{counts.in_flight} in flight"] if counts.in_flight else []
    told += [f"{counts.not_compared} not compared"] if counts.not_compared else []
    if progress.phase is Phase.SWEEPING:
        told.append(f"{progress.per_second:.0f}/s")
        if progress.eta_s is not None:
            told.append(f"{progress.eta_s:.0f} s left")
    return ", ".join(told)
