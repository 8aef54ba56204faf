"""``recon reconcile``: one run now, in this process."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from recon.app import open_game, reconciler_of
from recon.cli.context import (
    console,
    open_database,
    print_json,
    run_async,
    settings_of,
)
from recon.cli.run_progress import RunProgress
from recon.errors import NotFound
from recon.money import format_minor
from recon.reconciliation import (
    Run,
    RunScope,
    RunState,
    abandon_run,
    count_open,
    run_here,
    start_run,
)
from recon.reconciliation.views import run_view
from recon.settings import ConfigurationError

if TYPE_CHECKING:
    from uuid import UUID

    from recon.reconciliation import Reconciler
    from recon.settings import Settings

__all__ = ["exit_as", "follow", "reconcile"]

_EXIT_FAILED = 1
_EXIT_OPEN = 3
_EXIT_INCOMPLETE = 4


@click.command()
@click.option("--all", "everything", is_flag=True, help="Every wallet.")
@click.option("--changed", is_flag=True, help="What changed since the last run (the default).")
@click.option("--user", "users", multiple=True, metavar="ID", help="Only this player; repeatable.")
@click.option("--dry-run", is_flag=True, help="Compare and count; open and clear nothing.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def reconcile(
    ctx: click.Context,
    users: tuple[str, ...],
    *,
    everything: bool,
    changed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare the ledger with the game now.

    Exits 0 when all is in order, 3 when discrepancies are open, 4 when the run is incomplete.
    """
    if everything + changed + bool(users) > 1:
        raise click.UsageError("give one of --all, --changed and --user")
    scope = RunScope.ALL if everything else RunScope.USERS if users else RunScope.CHANGED
    run, still_open = run_async(
        _run(settings_of(ctx), scope, users, dry_run=dry_run, quiet=as_json)
    )
    if as_json:
        print_json(run_view(run))
    else:
        _say(run, still_open)
    exit_as(ctx, run, still_open=bool(still_open or (dry_run and run.wallets.discrepant)))


def exit_as(ctx: click.Context, run: Run, *, still_open: bool) -> None:
    """Leave with the code that a run's end stands for: a run that was cut short is never clean."""
    if run.state is RunState.INCOMPLETE:
        ctx.exit(_EXIT_INCOMPLETE)
    if run.state is RunState.FAILED:
        ctx.exit(_EXIT_FAILED)
    if still_open:
        ctx.exit(_EXIT_OPEN)


async def _run(
    settings: Settings, scope: RunScope, users: tuple[str, ...], *, dry_run: bool, quiet: bool
) -> tuple[Run, int]:
    async with open_game(settings) as game, open_database(settings) as pool:
        if game is None:
            raise ConfigurationError("game_url: set RECON_GAME_URL to compare with the game")
        run_id = await start_run(
            pool, scope, users=users, trigger="cli", dry_run=dry_run, queued=False
        )
        run = await follow(reconciler_of(settings, pool, game), run_id, quiet=quiet)
        if users and run.wallets.total == 0:
            raise NotFound("none of these players has a wallet", code="wallet_not_found")
        async with pool.acquire() as connection:
            return run, await count_open(connection)


async def follow(reconciler: Reconciler, run_id: UUID, *, quiet: bool = False) -> Run:
    """Drive a run to its end, with its progress on stderr; an interrupted one is ended as such."""
    with RunProgress(quiet=quiet) as shown:
        try:
            return await run_here(reconciler, run_id, progress=shown.show)
        except asyncio.CancelledError:
            await abandon_run(reconciler.pool, run_id, "interrupted")
            raise


def _number_of(discrepancies: int) -> str:
    return f"{discrepancies} {'discrepancy' if discrepancies == 1 else 'discrepancies'}"


def _say(run: Run, still_open: int) -> None:
    counts = run.wallets
    console.print(
        f"Run {run.run_id} is {run.state}: {counts.agreed} of {counts.total} wallets agree, "
        f"{counts.discrepant} do not, {counts.in_flight} are in flight, "
        f"{counts.not_compared} could not be compared. {_number_of(still_open)}"
        f" {'is' if still_open == 1 else 'are'} open."
    )
    if run.reason:
        console.print(f"Why: {run.reason}.", markup=False, highlight=False)
    changes = run.changes
    if any((changes.opened, changes.persisting, changes.reopened, changes.healed)):
        console.print(
            f"Against what was known before: {changes.opened} new, {changes.persisting} as before,"
            f" {changes.reopened} come back, {changes.healed} healed."
        )
    for total in run.totals:
        unit = total.currency
        console.print(
            f"{unit}: {_number_of(total.discrepancies)}, {format_minor(total.net, unit)} net;"
            f" {format_minor(total.explained, unit)} explained,"
            f" {format_minor(total.unexplained, unit)} not."
        )
    for one in run.tolerated:
        unit = one.currency
        console.print(
            f"{one.wallets} of these agree only by the tolerance of"
            f" {format_minor(one.tolerance, unit)} {unit}:"
            f" {format_minor(one.amount, unit)} {unit} in all."
        )
