"""``recon discrepancies``: the report; steps on one are in `discrepancy_steps`."""

from __future__ import annotations

import sys
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click
import msgspec

from recon.cli.context import (
    open_database,
    print_json,
    progress_console,
    run_async,
    settings_of,
)
from recon.cli.discrepancy_listing import MOST_ROWS, print_list, say_table
from recon.cli.discrepancy_steps import (
    assign_command,
    comment_command,
    ignore_command,
    recheck_command,
)
from recon.cli.discrepancy_text import ShownDiscrepancy, say_incidents, say_one
from recon.cli.verbs import Verbs
from recon.reconciliation import (
    Cause,
    DiscrepancyFilter,
    Incident,
    Status,
    list_incidents,
    read_discrepancy,
)
from recon.reconciliation.adjustments import list_adjustments
from recon.reconciliation.export import ExportFormat, csv_chunks, json_chunks
from recon.reconciliation.history import list_events
from recon.reconciliation.review_views import adjustment_view, event_view
from recon.reconciliation.views import discrepancy_view, incident_view
from recon.reconciliation.xlsx import xlsx_chunks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from uuid import UUID

    from recon.settings import Settings

__all__ = ["discrepancies"]

_EXIT_OPEN = 3
_PAGE = 500
_HISTORY = 1000


def _filters(command: Callable[..., None]) -> Callable[..., None]:
    """The options that choose discrepancies."""
    for option in (
        click.option("--currency", help="Only this currency."),
        click.option(
            "--incident", "incident_id", type=click.UUID, help="Only what is part of this incident."
        ),
        click.option("--run", "run_id", type=click.UUID, help="Only what this run saw."),
        click.option("--user", "user_id", help="Only this player's."),
        click.option(
            "--cause",
            "causes",
            multiple=True,
            type=click.Choice([str(cause) for cause in Cause]),
            help="Repeatable.",
        ),
        click.option(
            "--status",
            "statuses",
            multiple=True,
            type=click.Choice([str(status) for status in Status]),
            help="Repeatable.",
        ),
    ):
        command = option(command)
    return command


@click.group(cls=Verbs)
def discrepancies() -> None:
    """Where the ledger and the game do not agree."""


for _step in (recheck_command, assign_command, comment_command, ignore_command):
    discrepancies.add_command(_step)


@discrepancies.command("list")
@_filters
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    help=f"The newest so many; default: all with --json, else {MOST_ROWS}.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, /, *, limit: int | None, as_json: bool, **chosen: Any) -> None:  # noqa: ANN401 - each filter has its option's type
    """Discrepancies, newest first.

    Exits 3 when any of them is open, whichever statuses are listed; 0 when none is.
    """
    settings, wanted = settings_of(ctx), _filter(**chosen)
    still_open = run_async((print_list if as_json else say_table)(settings, wanted, limit))
    if still_open:
        ctx.exit(_EXIT_OPEN)


@discrepancies.command()
@click.argument("discrepancy_id", metavar="ID", type=click.UUID)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, *, discrepancy_id: UUID, as_json: bool) -> None:
    """One discrepancy: the explanation, what was proposed, and its history."""
    shown = run_async(_show(settings_of(ctx), discrepancy_id))
    if as_json:
        whole = msgspec.to_builtins(shown.discrepancy)
        print_json({**whole, "adjustments": shown.adjustments, "events": shown.events})
    else:
        say_one(shown)


@discrepancies.command()
@click.option("--all", "with_closed", is_flag=True, help="Those that are over as well.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def incidents(ctx: click.Context, *, with_closed: bool, as_json: bool) -> None:
    """What several wallets' discrepancies have in common, newest first: one root, one spell."""
    found = run_async(_incidents(settings_of(ctx), only_open=not with_closed))
    if as_json:
        print_json([incident_view(one) for one in found])
    else:
        say_incidents(found, only_open=not with_closed)


@discrepancies.command()
@_filters
@click.option(
    "--format",
    "kind",
    type=click.Choice([str(kind) for kind in ExportFormat]),
    default=str(ExportFormat.CSV),
    show_default=True,
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path, allow_dash=True),
    default="-",
    help="A file, which appears when it is whole; - is stdout, the default.",
)
@click.pass_context
def export(ctx: click.Context, /, *, kind: str, output: Path, **chosen: Any) -> None:  # noqa: ANN401 - each filter has its option's type
    """Every discrepancy that matches, as CSV, XLSX or JSON."""
    to_stdout = str(output) == "-"
    if kind == ExportFormat.XLSX and to_stdout and sys.stdout.isatty():
        raise click.UsageError("a workbook is no text for a terminal; give -o FILE")
    if not to_stdout and not output.absolute().parent.is_dir():
        raise click.UsageError(f"{output.parent} is no directory")
    target = None if to_stdout else output
    run_async(_export(settings_of(ctx), ExportFormat(kind), _filter(**chosen), target))
    if not to_stdout:
        progress_console.print(f"Written to {output}.", markup=False)


def _filter(
    *,
    statuses: tuple[str, ...],
    causes: tuple[str, ...],
    user_id: str | None,
    run_id: UUID | None,
    currency: str | None,
    incident_id: UUID | None,
) -> DiscrepancyFilter:
    return DiscrepancyFilter(
        statuses=tuple(Status(text) for text in statuses) or None,
        causes=tuple(Cause(text) for text in causes) or None,
        user_id=user_id,
        run_id=run_id,
        currency=currency,
        incident_id=incident_id,
    )


async def _incidents(settings: Settings, *, only_open: bool) -> list[Incident]:
    found: list[Incident] = []
    async with open_database(settings) as pool, pool.acquire() as connection:
        while True:
            before = found[-1].incident_id if found else None
            page = await list_incidents(connection, only_open=only_open, before=before, limit=_PAGE)
            found += page
            if len(page) < _PAGE:
                return found


async def _show(settings: Settings, discrepancy_id: UUID) -> ShownDiscrepancy:
    async with open_database(settings) as pool, pool.acquire() as connection:
        found = await read_discrepancy(connection, discrepancy_id)
        adjustments = await list_adjustments(
            connection, discrepancy_id=discrepancy_id, limit=_HISTORY
        )
        events = await list_events(connection, discrepancy_id, limit=_HISTORY)
    return ShownDiscrepancy(
        discrepancy_view(found),
        [adjustment_view(one) for one in adjustments],
        [event_view(one) for one in events],
    )


async def _export(
    settings: Settings, kind: ExportFormat, wanted: DiscrepancyFilter, output: Path | None
) -> None:
    base_url = (settings.public_url or "").rstrip("/")
    async with open_database(settings) as pool:
        match kind:
            case ExportFormat.CSV:
                chunks = csv_chunks(pool, wanted, base_url=base_url)
            case ExportFormat.JSON:
                chunks = json_chunks(pool, wanted, base_url=base_url)
            case ExportFormat.XLSX:
                chunks = xlsx_chunks(pool, wanted, base_url=base_url, asked_by="the command line")
        async with aclosing(chunks):
            if output is None:
                await _write(chunks, sys.stdout.buffer)
                return
            # Beside it first, so that a half file never stands under the name.
            part = output.with_name(f".{output.name}.part")
            try:
                with part.open("wb") as file:
                    await _write(chunks, file)
                part.replace(output)
            finally:
                part.unlink(missing_ok=True)


async def _write(chunks: AsyncGenerator[bytes, None], file: BinaryIO) -> None:
    async for chunk in chunks:
        file.write(chunk)
    file.flush()
