"""``recon wallet``: a player's balances and entries, as of any instant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec
from rich.text import Text

from recon.cli.context import console, open_database, print_json, run_async, settings_of
from recon.cli.tables import print_table
from recon.cli.verbs import Verbs
from recon.clock import format_time, parse_time
from recon.errors import Invalid
from recon.ledger import read_currencies, read_entries, read_wallet_or_none
from recon.ledger.errors import WalletNotFoundError
from recon.ledger.handlers import EntryView, WalletView, entry_view, wallet_view

if TYPE_CHECKING:
    from datetime import datetime

    from recon.settings import Settings

__all__ = ["wallet"]


class _Instant(click.ParamType["datetime"]):
    """An ISO 8601 instant that names its zone."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read the text."""
        try:
            return parse_time(value)
        except Invalid as error:
            self.fail(error.message, param, ctx)


class _Shown(msgspec.Struct, frozen=True):
    """A wallet and its last entries, newest first."""

    wallet: WalletView
    entries: list[EntryView]


@click.group(cls=Verbs)
def wallet() -> None:
    """A player's wallets."""


@wallet.command()
@click.argument("user_id", metavar="USER")
@click.option("--currency", help="Only this one; the default is all that the player has.")
@click.option("--at", type=_Instant(), help="As of this instant, e.g. 2026-01-31T12:00:00Z.")
@click.option(
    "--entries",
    "limit",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="How many of the last entries.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(
    ctx: click.Context,
    *,
    user_id: str,
    currency: str | None,
    at: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Balances and the last entries, with the balance after each and its cause."""
    found = run_async(_read(settings_of(ctx), user_id, currency, at, limit))
    if as_json:
        wallets = [{**msgspec.to_builtins(one.wallet), "entries": one.entries} for one in found]
        print_json({"user_id": user_id, "wallets": wallets})
        return
    for one in found:
        _say(one)


async def _read(
    settings: Settings, user_id: str, currency: str | None, at: datetime | None, limit: int
) -> list[_Shown]:
    # One snapshot, so that balances and entries are of one instant.
    async with (
        open_database(settings) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        names = [currency] if currency else await read_currencies(connection, user_id)
        found = []
        for name in names:
            one = await read_wallet_or_none(connection, user_id, name, at=at)
            if one is None:
                continue
            entries = await read_entries(connection, user_id, name, limit=limit, at=at)
            found.append(_Shown(wallet_view(one), [entry_view(entry) for entry in entries]))
    if not found:
        what = f"{currency} wallet" if currency else "wallet"
        when = "" if at is None else f" at {format_time(at)}"
        raise WalletNotFoundError(f"{user_id} has no {what}{when}")
    return found


def _say(one: _Shown) -> None:
    balances = one.wallet
    console.print(
        Text.assemble(
            (f"{balances.user_id} {balances.currency}", "bold"),
            f"  available {balances.available}  held {balances.held}  "
            f"reserved {balances.reserved}  version {balances.version}  "
            f"as of {format_time(balances.as_of)}",
        ),
        soft_wrap=True,
    )
    if not one.entries:
        return
    print_table(
        (
            *("version", "recorded at", "kind", "from → to"),
            *("amount", "available", "held", "reserved", "cause"),
        ),
        (
            (
                *(str(entry.version), format_time(entry.recorded_at), entry.kind),
                *(f"{entry.debit} → {entry.credit}", entry.amount),
                *(entry.available_after, entry.held_after, entry.reserved_after),
                f"{entry.source} {entry.key}",
            )
            for entry in one.entries
        ),
        amounts=("amount", "available", "held", "reserved"),
    )
