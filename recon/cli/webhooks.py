"""``recon webhooks``: the inbox and replay; sample events and backfill have files of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.text import Text

from recon.cli.backfill import backfill_command
from recon.cli.context import (
    console,
    open_database,
    print_json,
    progress_console,
    run_async,
    settings_of,
)
from recon.cli.send import send
from recon.cli.tables import print_table
from recon.cli.verbs import Verbs
from recon.clock import format_time
from recon.errors import Invalid
from recon.webhooks import (
    InboxQuery,
    State,
    browse_inbox,
    build_endpoints,
    preview_replay,
    read_story,
    replay_delivery,
)
from recon.webhooks.views import (
    DeliveryDetail,
    DeliveryView,
    delivery_detail,
    delivery_view,
)

if TYPE_CHECKING:
    from uuid import UUID

    from recon.settings import Settings
    from recon.webhooks import InboxPage, Preview, Story

__all__ = ["webhooks"]


@click.group(cls=Verbs)
def webhooks() -> None:
    """The inbox of PSP deliveries."""


webhooks.add_command(send)
webhooks.add_command(backfill_command)


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
            nothing="No delivery matches.",
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
