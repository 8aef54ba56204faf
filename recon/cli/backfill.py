"""``recon webhooks backfill``: Stripe's own list of events against the inbox."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from recon.app import api_accounts_of
from recon.cli.context import (
    console,
    open_database,
    print_json,
    progress_console,
    run_async,
    settings_of,
)
from recon.cli.durations import optional_duration
from recon.clock import format_time, now
from recon.errors import ReconError
from recon.webhooks.backfill import backfill, missed_events, open_event_list

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recon.db import Pool
    from recon.settings import Settings
    from recon.webhooks.backfill import ApiAccount, Backfilled

__all__ = ["backfill_command"]

_EXIT_FAILED = 1
_LIST_TIMEOUT = timedelta(seconds=20)
_LOOKED_BACK = timedelta(hours=1)


@click.command("backfill")
@click.option("--endpoint", help="Only this PSP account.")
@click.option(
    "--since",
    callback=optional_duration,
    help="Go so far back, 30d at most. Default: where the last comparison ended.",
)
@click.option("--dry-run", is_flag=True, help="Show what is missing; take nothing in.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def backfill_command(
    ctx: click.Context,
    endpoint: str | None,
    since: timedelta | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Compare Stripe's own list of events with the inbox and take in what no webhook brought.

    Events younger than RECON_BACKFILL_AFTER are left to their webhooks. Exits 1 when a list cannot
    be read to its end.
    """
    settings = settings_of(ctx)
    accounts = [
        account
        for account in api_accounts_of(settings)
        if endpoint is None or account.endpoint.name == endpoint
    ]
    if not accounts:
        raise click.UsageError("no such Stripe account has an API_KEY: RECON_PSP__<ENDPOINT>__…")
    done = run_async(_backfill(settings, accounts, since, dry_run=dry_run))
    if as_json:
        print_json(done)
    for one in done:
        if not as_json:
            _print_backfill(one, dry_run=dry_run)
    if any(one["error"] is not None for one in done):
        ctx.exit(_EXIT_FAILED)


async def _backfill(
    settings: Settings, accounts: Sequence[ApiAccount], since: timedelta | None, *, dry_run: bool
) -> list[dict[str, Any]]:
    begin = None if since is None else now() - since
    leave = settings.backfill_after
    done = []
    async with open_database(settings) as pool:
        for account in accounts:
            told: dict[str, Any] = {"endpoint": account.endpoint.name, "error": None}
            try:
                if dry_run:
                    told["missed"] = await _missed(pool, account, begin, leave)
                else:
                    told |= _told(await backfill(pool, account, leave=leave, since=begin))
            except ReconError as error:
                told["error"] = {"code": error.code, "message": error.message}
            done.append(told)
    return done


def _told(done: Backfilled) -> dict[str, Any]:
    return {
        "since": done.since,
        "until": done.until,
        "listed": done.listed,
        "taken": done.taken,
        "outcomes": done.outcomes,
    }


async def _missed(
    pool: Pool, account: ApiAccount, begin: datetime | None, leave: timedelta
) -> list[dict[str, Any]]:
    until = now() - leave
    since = begin or until - _LOOKED_BACK
    async with open_event_list(account, timeout=_LIST_TIMEOUT) as events:
        return [
            {
                "event_id": event.event_id,
                "event_type": event.event_type,
                "created": datetime.fromtimestamp(event.created, UTC),
            }
            async for event in missed_events(pool, events, since=since, until=until)
        ]


def _print_backfill(one: dict[str, Any], *, dry_run: bool) -> None:
    name = one["endpoint"]
    if one["error"] is not None:
        progress_console.print(
            f"{name}: {one['error']['code']}: {one['error']['message']}", style="red", markup=False
        )
    elif dry_run:
        for event in one["missed"]:
            created = format_time(event["created"])
            console.print(f"{created}  {name}  {event['event_type']}  {event['event_id']}")
        console.print(f"{name}: {len(one['missed'])} missing")
    else:
        outcomes = ", ".join(f"{count} {state}" for state, count in one["outcomes"].items())
        console.print(
            f"{name}: {one['listed']} listed, {one['taken']} were missing"
            + (f": {outcomes}" if outcomes else "")
        )
