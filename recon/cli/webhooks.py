"""``recon webhooks``: the inbox, replay, and sample events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import click
from rich.table import Table

from recon.app import api_accounts_of
from recon.cli.context import (
    console,
    open_database,
    print_json,
    progress_console,
    run_async,
    settings_of,
)
from recon.clock import format_time, new_id, now, parse_duration
from recon.errors import ReconError
from recon.money import Money
from recon.webhooks import (
    State,
    build_endpoints,
    list_deliveries,
    read_delivery,
    replay_delivery,
)
from recon.webhooks.backfill import backfill, missed_events, open_event_list
from recon.webhooks.inbox import repeats_of
from recon.webhooks.intake import Intake
from recon.webhooks.samples import Sample, SampleCall, build_sample, kind_named, sign_sample
from recon.webhooks.views import (
    DeliveryDetail,
    DeliveryView,
    delivery_detail,
    delivery_view,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from recon.db import Pool
    from recon.settings import Settings
    from recon.webhooks.backfill import ApiAccount, Backfilled

__all__ = ["webhooks"]

_EXIT_FAILED = 1
_SUCCESSFUL = range(200, 300)
_TIMEOUT = aiohttp.ClientTimeout(total=30)
_LIST_TIMEOUT = timedelta(seconds=20)
_LOOKED_BACK = timedelta(hours=1)


def _duration(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    """Read a duration such as 90s, or fail as click does."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def _optional_duration(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> timedelta | None:
    return None if value is None else _duration(ctx, param, value)


@click.group()
def webhooks() -> None:
    """The inbox of PSP deliveries."""


@webhooks.command("list")
@click.option("--state", type=click.Choice([str(state) for state in State]))
@click.option("--endpoint", help="Only this PSP account.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_command(
    ctx: click.Context, state: str | None, endpoint: str | None, limit: int, *, as_json: bool
) -> None:
    """Deliveries, newest first."""
    views = run_async(_list(settings_of(ctx), state, endpoint, limit))
    if as_json:
        print_json(views)
        return
    table = Table("received", "endpoint", "type", "state", "amount", "player", "delivery")
    for view in views:
        table.add_row(
            format_time(view.received_at),
            view.endpoint,
            view.event_type,
            view.state,
            f"{view.amount} {view.currency}" if view.amount else "",
            view.user_id or "",
            str(view.delivery_id),
        )
    console.print(table)


@webhooks.command()
@click.argument("delivery_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, delivery_id: UUID, *, as_json: bool) -> None:
    """One delivery with its body and its repeats."""
    detail = run_async(_show(settings_of(ctx), delivery_id))
    if as_json:
        print_json(detail)
        return
    _print_fields(detail)
    console.print(f"[bold]repeats[/]  {len(detail.repeats)}")
    for repeat in detail.repeats:
        same = "the same bytes" if repeat.same_bytes else "[red]other bytes[/]"
        console.print(f"  {format_time(repeat.received_at)}  {same}")
    console.print("[bold]body[/]")
    console.print(detail.body or "redacted", markup=False, highlight=False)


@webhooks.command()
@click.argument("delivery_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def replay(ctx: click.Context, delivery_id: UUID, *, as_json: bool) -> None:
    """Decide about a delivery again; what is booked stays booked once."""
    view = run_async(_replay(settings_of(ctx), delivery_id))
    if as_json:
        print_json(view)
    else:
        _print_fields(view)


@webhooks.command()
@click.argument("endpoint")
@click.argument("event")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The service.")
@click.option("--user", "user_id", default="u_sample", show_default=True)
@click.option("--amount", default="10.00", show_default=True)
@click.option("--currency", default="GBP", show_default=True)
@click.option("--reference", help="Of the payment; its ids come of it. Default: a new one.")
@click.option("--duplicate", is_flag=True, help="Send it twice.")
@click.option(
    "--late", callback=_duration, default="0s", help="It happened and was signed so long ago."
)
@click.option("--bad-signature", is_flag=True, help="Sign with a key that nobody has.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def send(  # noqa: PLR0913 - one per option of the contract
    ctx: click.Context,
    *,
    endpoint: str,
    event: str,
    url: str,
    user_id: str,
    amount: str,
    currency: str,
    reference: str | None,
    late: timedelta,
    duplicate: bool,
    bad_signature: bool,
    as_json: bool,
) -> None:
    """Sign a sample EVENT with the secret of ENDPOINT and post it.

    EVENT is a word such as deposit.succeeded or the provider's own, such as refund.created.

    Exits 1 when an answer is not 2xx.
    """
    account = Intake(build_endpoints(settings_of(ctx).psp)).endpoint(endpoint)
    at = now() - late
    sample = Sample(
        kind=kind_named(account, event),
        user_id=user_id,
        amount=Money.parse(amount, currency),
        reference=reference or f"sample-{new_id().hex[:20]}",
        at=at,
    )
    document = build_sample(account, sample)
    call = sign_sample(account, document, at=at, forged=bad_signature)
    target = f"{url.rstrip('/')}/webhooks/{endpoint}"
    answers = run_async(_post(target, call, times=2 if duplicate else 1))
    if as_json:
        print_json({"reference": sample.reference, "answers": answers})
    else:
        for answer in answers:
            console.print(f"{answer['status']}  {answer['body']}", markup=False, highlight=False)
    if any(answer["status"] not in _SUCCESSFUL for answer in answers):
        ctx.exit(_EXIT_FAILED)


@webhooks.command("backfill")
@click.option("--endpoint", help="Only this PSP account.")
@click.option(
    "--since",
    callback=_optional_duration,
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


async def _list(
    settings: Settings, state: str | None, endpoint: str | None, limit: int
) -> list[DeliveryView]:
    async with open_database(settings) as pool, pool.acquire() as connection:
        found = await list_deliveries(
            connection, state=State(state) if state else None, endpoint=endpoint, limit=limit
        )
    return [delivery_view(stored) for stored in found]


async def _show(settings: Settings, delivery_id: UUID) -> DeliveryDetail:
    async with open_database(settings) as pool, pool.acquire() as connection:
        stored = await read_delivery(connection, delivery_id)
        repeats = await repeats_of(connection, stored.endpoint, stored.event_id)
    return delivery_detail(stored, repeats)


async def _replay(settings: Settings, delivery_id: UUID) -> DeliveryView:
    endpoints = build_endpoints(settings.psp)
    async with open_database(settings) as pool:
        return delivery_view(await replay_delivery(pool, endpoints, delivery_id))


async def _post(url: str, call: SampleCall, *, times: int) -> list[dict[str, Any]]:
    answers = []
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            for _ in range(times):
                async with session.post(url, data=call.body, headers=call.headers) as response:
                    answers.append({"status": response.status, "body": await response.text()})
    except (aiohttp.ClientError, TimeoutError) as error:
        raise click.ClickException(f"{url} does not answer: {error}") from None
    return answers


def _print_fields(view: DeliveryView) -> None:
    for name in DeliveryView.__struct_fields__:
        value = getattr(view, name)
        if value is not None:
            console.print(f"[bold]{name}[/]  {value}", highlight=False)
