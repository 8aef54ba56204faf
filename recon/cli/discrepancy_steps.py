"""``recon discrepancies recheck|assign|comment|ignore``: steps on one, as the API takes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recon.app import open_game, reconciler_of
from recon.cli.context import console, open_database, print_json, run_async, settings_of
from recon.cli.durations import optional_duration
from recon.cli.reconcile import exit_as, follow
from recon.clock import new_id, now
from recon.four_eyes import Step
from recon.reconciliation import Status, read_discrepancy
from recon.reconciliation.assign import assign
from recon.reconciliation.comment import comment
from recon.reconciliation.ignore import ignore
from recon.reconciliation.recheck import recheck
from recon.reconciliation.review_views import EventView, event_view
from recon.reconciliation.views import (
    DiscrepancyView,
    discrepancy_view,
    run_view,
)
from recon.settings import ConfigurationError

if TYPE_CHECKING:
    from datetime import timedelta
    from uuid import UUID

    from recon.reconciliation import Discrepancy, Run
    from recon.settings import Settings

__all__ = ["assign_command", "comment_command", "ignore_command", "recheck_command"]

_ACTOR = "cli"
_CLOSED = frozenset({Status.RESOLVED, Status.CLEARED, Status.IGNORED})


@click.command("recheck")
@click.argument("discrepancy_id", metavar="ID", type=click.UUID)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def recheck_command(ctx: click.Context, *, discrepancy_id: UUID, as_json: bool) -> None:
    """Compare its player's wallets again now, in this process.

    Exits 0 when it is closed or ignored then, 3 when it stands, 4 when the run is incomplete.
    """
    run, found = run_async(_recheck(settings_of(ctx), discrepancy_id, quiet=as_json))
    if as_json:
        print_json({"run": run_view(run), "discrepancy": discrepancy_view(found)})
    else:
        console.print(f"Run {run.run_id} is {run.state}; the discrepancy is {found.status}.")
    exit_as(ctx, run, still_open=found.status not in _CLOSED)


@click.command("assign")
@click.argument("discrepancy_id", metavar="ID", type=click.UUID)
@click.argument("assignee", required=False)
@click.option("--nobody", is_flag=True, help="Give it back.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def assign_command(
    ctx: click.Context,
    *,
    discrepancy_id: UUID,
    assignee: str | None,
    nobody: bool,
    as_json: bool,
) -> None:
    """Say who looks into it: ASSIGNEE, or --nobody."""
    if nobody == bool(assignee and assignee.strip()):
        raise click.UsageError("give a name or --nobody")
    shown = run_async(_assign(settings_of(ctx), discrepancy_id, _named(assignee)))
    _say(shown, f"{shown.status}, assigned to {shown.assignee or 'nobody'}", as_json=as_json)


@click.command("comment")
@click.argument("discrepancy_id", metavar="ID", type=click.UUID)
@click.argument("text")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def comment_command(ctx: click.Context, *, discrepancy_id: UUID, text: str, as_json: bool) -> None:
    """Say TEXT about it, for those who look into it after."""
    if not text.strip():
        raise click.UsageError("say something")
    event = run_async(_comment(settings_of(ctx), discrepancy_id, text))
    if as_json:
        print_json(event)
    else:
        console.print("Noted.")


@click.command("ignore")
@click.argument("discrepancy_id", metavar="ID", type=click.UUID)
@click.option("--reason", required=True, help="Why it may be left alone.")
@click.option(
    "--for",
    "how_long",
    callback=optional_duration,
    help="Such as 36h; without, as long as the difference is the same.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def ignore_command(
    ctx: click.Context,
    *,
    discrepancy_id: UUID,
    reason: str,
    how_long: timedelta | None,
    as_json: bool,
) -> None:
    """Leave it alone, until it changes or the time is over."""
    if not reason.strip():
        raise click.BadParameter("is empty", ctx, param_hint="--reason")
    shown = run_async(_ignore(settings_of(ctx), discrepancy_id, reason, how_long))
    _say(shown, str(shown.status), as_json=as_json)


def _named(assignee: str | None) -> str | None:
    return (assignee or "").strip() or None


def _step() -> Step:
    return Step(_ACTOR, new_id())


def _say(shown: DiscrepancyView, words: str, *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
    else:
        console.print(f"The discrepancy is {words}.", markup=False)


async def _recheck(
    settings: Settings, discrepancy_id: UUID, *, quiet: bool
) -> tuple[Run, Discrepancy]:
    async with open_game(settings) as game, open_database(settings) as pool:
        if game is None:
            raise ConfigurationError("game_url: set RECON_GAME_URL to compare with the game")
        run_id = await recheck(pool, discrepancy_id, queued=False, step=_step())
        run = await follow(reconciler_of(settings, pool, game), run_id, quiet=quiet)
        async with pool.acquire() as connection:
            return run, await read_discrepancy(connection, discrepancy_id)


async def _assign(
    settings: Settings, discrepancy_id: UUID, assignee: str | None
) -> DiscrepancyView:
    async with open_database(settings) as pool:
        return discrepancy_view(await assign(pool, discrepancy_id, assignee, step=_step()))


async def _comment(settings: Settings, discrepancy_id: UUID, text: str) -> EventView:
    async with open_database(settings) as pool:
        return event_view(await comment(pool, discrepancy_id, text, step=_step()))


async def _ignore(
    settings: Settings, discrepancy_id: UUID, reason: str, how_long: timedelta | None
) -> DiscrepancyView:
    until = None if how_long is None else now() + how_long
    async with open_database(settings) as pool:
        return discrepancy_view(
            await ignore(pool, discrepancy_id, reason, until=until, step=_step())
        )
