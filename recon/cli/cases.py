"""``recon cases``: what people must look at besides differences of balances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recon.cli.context import console, open_database, print_json, run_async, settings_of
from recon.cli.tables import print_table
from recon.cli.verbs import Verbs
from recon.clock import format_time
from recon.webhooks.close_case import close_case
from recon.webhooks.inbox import list_cases
from recon.webhooks.views import CaseView, case_view

if TYPE_CHECKING:
    from uuid import UUID

    from recon.settings import Settings

__all__ = ["cases"]

_ACTOR = "cli"


@click.group(cls=Verbs)
def cases() -> None:
    """What people must look at besides differences of balances."""


@cases.command("list")
@click.option("--state", type=click.Choice(["open", "closed"]), default="open", show_default=True)
@click.option("--kind", help="Such as suspended, quarantined or payment_overdue.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_command(
    ctx: click.Context, state: str, kind: str | None, limit: int, *, as_json: bool
) -> None:
    """Cases, newest first."""
    views = run_async(_list(settings_of(ctx), state, kind, limit))
    if as_json:
        print_json(views)
        return
    print_table(
        ("case", "opened", "kind", "reference", "player", "amount", "reason"),
        [
            (
                str(view.case_id),
                format_time(view.opened_at),
                view.kind,
                view.reference or "",
                view.user_id or "",
                f"{view.amount} {view.currency}" if view.amount else "",
                view.reason,
            )
            for view in views
        ],
        amounts=("amount",),
        nothing="No case matches.",
    )


@cases.command()
@click.argument("case_id", type=click.UUID)
@click.option("--reason", required=True, help="Why it needs nobody any more.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def close(ctx: click.Context, case_id: UUID, reason: str, *, as_json: bool) -> None:
    """Close a case; nothing is booked by it."""
    if not reason.strip():
        raise click.BadParameter("is empty", ctx, param_hint="--reason")
    view = run_async(_close(settings_of(ctx), case_id, reason))
    if as_json:
        print_json(view)
    else:
        console.print(
            f"{view.kind} of {view.reference or view.delivery_id} is closed", markup=False
        )


async def _list(settings: Settings, state: str, kind: str | None, limit: int) -> list[CaseView]:
    async with open_database(settings) as pool, pool.acquire() as connection:
        found = await list_cases(connection, state=state, kind=kind, limit=limit)
    return [case_view(case) for case in found]


async def _close(settings: Settings, case_id: UUID, reason: str) -> CaseView:
    async with open_database(settings) as pool:
        return case_view(await close_case(pool, case_id, reason, actor=_ACTOR))
