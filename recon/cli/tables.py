"""Tables on stdout: fitted to a terminal, whole in a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from recon.cli.context import console, progress_console

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["print_table"]

_UNBOUNDED = 10_000


def print_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    amounts: Sequence[str] = (),
    nothing: str = "",
) -> None:
    """Print rows of plain text; what stands in a cell is never taken for markup.

    The first column, by which a row is named elsewhere, is never shortened.

    Args:
        headings: one per column.
        rows: as many cells each.
        amounts: the headings of columns that are set to the right and never broken.
        nothing: is said, beside the output, instead of a table without rows.
    """
    rows = list(rows)
    if nothing and not rows:
        progress_console.print(nothing)
        return
    table = Table()
    for number, heading in enumerate(headings):
        right = heading in amounts
        table.add_column(
            heading,
            justify="right" if right else "left",
            no_wrap=right or number == 0,
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # A pipe has no width that anything would have to fit.
    target = console if console.is_terminal else Console(width=_UNBOUNDED)
    target.print(table)
