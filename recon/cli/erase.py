"""``recon erase``: forget a player as a person."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from recon.cli.context import open_database, print_json, progress_console, run_async, settings_of
from recon.clock import now
from recon.webhooks.erase import Erased, erase_player

if TYPE_CHECKING:
    from recon.settings import Settings

__all__ = ["erase"]

_ACTOR = "cli"
_EXIT_KEPT = 1


@click.command()
@click.argument("user")
@click.option(
    "--ended",
    type=click.DateTime(["%Y-%m-%d"]),
    required=True,
    help="When the relationship with the player did; five years ago at least.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def erase(ctx: click.Context, user: str, ended: datetime, *, as_json: bool) -> None:
    """Take away every payload that a PSP has sent about a player's payments.

    Amounts, times and ids stay, under the game's opaque id; hashes and the chain of seals hold.
    Exits 1 where something about them is not settled yet and had to stay, where a posting, payment
    or bet of theirs is younger than five years, and where nobody has ever heard of them.
    """
    erased = run_async(_erase(settings_of(ctx), user, ended.replace(tzinfo=UTC)))
    if as_json:
        print_json(erased)
    else:
        progress_console.print(
            f"{erased.erased} payloads are gone"
            + (f"; {erased.kept} had to stay, see `recon cases list`." if erased.kept else ".")
        )
    if erased.kept:
        ctx.exit(_EXIT_KEPT)


async def _erase(settings: Settings, user: str, ended: datetime) -> Erased:
    async with open_database(settings) as pool:
        return await erase_player(pool, user, ended=ended, now=now(), actor=_ACTOR)
