"""``recon alerts``: what people were told, whether it arrived, and whether it would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.text import Text

from recon.alerting import alerting_of
from recon.alerts import enable_channel, list_alerts, send_trial
from recon.cli.context import console, open_database, print_json, run_async, settings_of
from recon.cli.tables import print_table
from recon.cli.verbs import Verbs
from recon.clock import format_time

if TYPE_CHECKING:
    from recon.alerts import Alerting, DeliveryView, SentAlert
    from recon.settings import Settings

__all__ = ["alerts"]

_EXIT_FAILED = 1


@click.group(cls=Verbs)
def alerts() -> None:
    """What people were told, and by which way."""


@alerts.command("list")
@click.option(
    "--state",
    type=click.Choice(["pending", "sent", "given_up"]),
    help="Only those that are so by one way at least.",
)
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_command(ctx: click.Context, state: str | None, limit: int, *, as_json: bool) -> None:
    """Messages, newest first, each with its deliveries."""
    found = run_async(_list(settings_of(ctx), state, limit))
    if as_json:
        print_json(found)
        return
    print_table(
        ("alert", "at", "type", "what", "deliveries"),
        (
            (
                str(one.alert_id),
                format_time(one.created_at),
                one.type,
                one.summary,
                "\n".join(_way(delivery) for delivery in one.deliveries),
            )
            for one in found
        ),
        nothing="No message matches.",
    )


@alerts.command("test")
@click.argument("channel", required=False)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def test_command(ctx: click.Context, channel: str | None, *, as_json: bool) -> None:
    """Send a test message through CHANNEL (webhook:NAME or email), or all of them.

    Exits 1 when one does not arrive.
    """
    outcomes = run_async(send_trial(_alerting(settings_of(ctx)), channel))
    if as_json:
        print_json(
            [
                {"channel": name, "delivered": outcome.delivered, "detail": outcome.detail}
                for name, outcome in outcomes.items()
            ]
        )
    else:
        for name, outcome in outcomes.items():
            mark = ("arrived", "green") if outcome.delivered else ("failed ", "red")
            # As text: a channel called webhook:pager is no picture of a pager.
            line = Text.assemble(mark, f" {name}: {outcome.detail}")
            console.print(line, soft_wrap=True, highlight=False)
    if not all(outcome.delivered for outcome in outcomes.values()):
        ctx.exit(_EXIT_FAILED)


@alerts.command("enable")
@click.argument("channel")
@click.pass_context
def enable_command(ctx: click.Context, channel: str) -> None:
    """Send through CHANNEL again, whose receiver had said that it is gone."""
    run_async(_enable(settings_of(ctx), channel))
    console.print(Text(f"{channel} is used again"))


def _alerting(settings: Settings) -> Alerting:
    alerting = alerting_of(settings)
    if alerting is None:
        raise click.UsageError(
            "no channel is set: RECON_ALERTS__WEBHOOKS__<NAME>__URL, RECON_ALERTS__EMAIL__URL"
        )
    return alerting


def _way(delivery: DeliveryView) -> str:
    if delivery.ended_at is not None:
        said = f"{delivery.channel} {delivery.state} at {format_time(delivery.ended_at)}"
    else:
        due = "" if delivery.next_at is None else f", next at {format_time(delivery.next_at)}"
        said = f"{delivery.channel} {delivery.state}{due}"
    if delivery.state != "sent" and delivery.last_error is not None:
        said += f"; tried {delivery.attempts} times: {delivery.last_error}"
    return said


async def _list(settings: Settings, state: str | None, limit: int) -> list[SentAlert]:
    async with open_database(settings) as pool, pool.acquire() as connection:
        return await list_alerts(connection, state=state, limit=limit)


async def _enable(settings: Settings, channel: str) -> None:
    async with open_database(settings) as pool:
        await enable_channel(pool, channel)
