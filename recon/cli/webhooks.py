"""``recon webhooks``: the inbox, replay, and sample events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import click
from rich.text import Text

from recon.app import api_accounts_of
from recon.cli.context import (
    console,
    open_database,
    print_json,
    progress_console,
    run_async,
    settings_of,
)
from recon.cli.tables import print_table
from recon.clock import format_time, new_id, now, parse_duration
from recon.errors import Invalid, ReconError
from recon.money import Money
from recon.webhooks import (
    InboxQuery,
    State,
    browse_inbox,
    build_endpoints,
    preview_replay,
    read_story,
    replay_delivery,
)
from recon.webhooks.backfill import backfill, missed_events, open_event_list
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
    from recon.webhooks import InboxPage, Preview, Story
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
@click.option(
    "--state",
    type=click.Choice([*(str(state) for state in State), "unsettled"]),
    help="unsettled: waiting, suspended or quarantined.",
)
@click.option("--endpoint", help="Only this PSP account.")
@click.option("--since", metavar="TIME", help="Received from then on: ISO 8601, or a date.")
@click.option("--until", metavar="TIME", help="Received before then; a date includes its day.")
@click.option(
    "--find",
    "q",
    metavar="ID",
    help="A whole id of an event, payment, refund, payout, delivery or player, or a reference.",
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--before", type=click.UUID, help="Go on after this delivery of an earlier list.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_command(
    ctx: click.Context,
    /,
    *,
    limit: int,
    before: UUID | None,
    as_json: bool,
    **filters: str | None,
) -> None:
    """Deliveries, newest first."""
    given = {name: text for name, text in filters.items() if text is not None}
    try:
        wanted = InboxQuery.parse(given)
    except Invalid as error:
        raise click.UsageError(error.message, ctx) from None
    page = run_async(_list(settings_of(ctx), wanted, before, limit))
    views = [delivery_view(stored) for stored in page.rows]
    if as_json:
        print_json(views)
    else:
        print_table(
            ["delivery", "received", "endpoint", "type", "state", "amount", "player", "reason"],
            [
                (
                    str(view.delivery_id),
                    format_time(view.received_at),
                    view.endpoint,
                    view.event_type,
                    view.state,
                    f"{view.amount} {view.currency}" if view.amount else "",
                    view.user_id or "",
                    view.reason or "",
                )
                for view in views
            ],
            amounts=["amount"],
        )
    if page.after is not None:
        progress_console.print(f"There may be more: go on with --before {page.after}")


@webhooks.command()
@click.argument("delivery_id", type=click.UUID)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, delivery_id: UUID, *, as_json: bool) -> None:
    """One delivery: what became of it and why, what it moved, its repeats and its body."""
    detail = delivery_detail(run_async(_show(settings_of(ctx), delivery_id)))
    if as_json:
        print_json(detail)
        return
    _say(detail.explanation)
    _print_fields(detail)
    if detail.old_key:
        _say("  an old key: another secret than the newest has signed it")
    for title, lines in _surroundings(detail):
        console.print(f"[bold]{title}[/]  {len(lines)}")
        for line in lines:
            _say(f"  {line}")
    console.print("[bold]body[/]")
    _say(
        "redacted: its time of retention is over, its hash is kept"
        if detail.redacted
        else str(detail.body)
    )


@webhooks.command()
@click.argument("delivery_id", type=click.UUID)
@click.option("--dry-run", is_flag=True, help="Say what it would do, and do nothing.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def replay(ctx: click.Context, delivery_id: UUID, *, dry_run: bool, as_json: bool) -> None:
    """Decide about a delivery again; what is booked stays booked once.

    Exits 1 when its payload is redacted or the books refuse it.
    """
    settings = settings_of(ctx)
    if dry_run:
        _tell_preview(run_async(_preview(settings, delivery_id)), as_json=as_json)
        return
    view = run_async(_replay(settings, delivery_id))
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
    settings: Settings, wanted: InboxQuery, before: UUID | None, limit: int
) -> InboxPage:
    async with open_database(settings) as pool, pool.acquire() as connection:
        return await browse_inbox(connection, wanted, before=before, limit=limit)


async def _show(settings: Settings, delivery_id: UUID) -> Story:
    async with open_database(settings) as pool, pool.acquire() as connection:
        return await read_story(connection, delivery_id)


async def _replay(settings: Settings, delivery_id: UUID) -> DeliveryView:
    endpoints = build_endpoints(settings.psp)
    async with open_database(settings) as pool:
        return delivery_view(await replay_delivery(pool, endpoints, delivery_id, actor="cli"))


async def _preview(settings: Settings, delivery_id: UUID) -> Preview:
    endpoints = build_endpoints(settings.psp)
    async with open_database(settings) as pool:
        return await preview_replay(pool, endpoints, delivery_id)


def _tell_preview(preview: Preview, *, as_json: bool) -> None:
    moved = [
        {
            "effect": movement.effect,
            "user_id": movement.user_id,
            "amount": str(movement.amount),
            "currency": movement.amount.currency,
        }
        for movement in preview.moved
    ]
    if as_json:
        print_json(
            {
                "delivery_id": preview.delivery.delivery_id,
                "changes": preview.changes,
                "before": preview.delivery.state,
                "after": preview.state,
                "reason": preview.reason,
                "moves": moved,
            }
        )
        return
    if not preview.changes:
        _say(f"It would stay {preview.state}{f': {preview.reason}' if preview.reason else ''}.")
        return
    _say(f"It is {preview.delivery.state} and would be {preview.state}.")
    for one in moved:
        _say(f"  {one['effect']}: {one['amount']} {one['currency']} for {one['user_id']}")


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


def _surroundings(detail: DeliveryDetail) -> list[tuple[str, list[str]]]:
    """What stands around a delivery, as titles with lines."""
    return [
        (
            "moved",
            [
                f"{one.effect}: {one.amount} {one.currency} for {one.user_id}"
                + ("" if one.version is None else f", version {one.version}")
                for one in detail.moved
            ],
        ),
        ("cases", [f"{case.state}  {case.kind}: {case.reason}" for case in detail.cases]),
        (
            "repeats",
            [
                f"{format_time(repeat.received_at)}  "
                + ("the same content" if repeat.same_bytes else "OTHER BYTES")
                for repeat in detail.repeats
            ],
        ),
        (
            "of the same payment",
            [
                f"{format_time(one.received_at)}  {one.event_type}  {one.state}  {one.delivery_id}"
                for one in detail.same_payment
            ],
        ),
        (
            "replays",
            [
                f"{format_time(one.at)}  {one.actor}: {one.before} → {one.after}"
                for one in detail.replays
            ],
        ),
        ("headers", [f"{name}: {text}" for name, text in detail.headers.items()]),
    ]


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False)


def _print_fields(view: DeliveryView) -> None:
    for name in DeliveryView.__struct_fields__:
        value = getattr(view, name)
        if value is not None:
            console.print(Text.assemble((name, "bold"), f"  {value}"), highlight=False)
