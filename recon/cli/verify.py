"""``recon verify``: prove the books from the entries alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recon.cli.context import console, open_database, print_json, run_async, settings_of
from recon.cli.tables import print_table
from recon.ledger import verify_books

if TYPE_CHECKING:
    from recon.ledger import Verification
    from recon.settings import Settings

__all__ = ["verify"]

_EXIT_FAULT = 5


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def verify(ctx: click.Context, *, as_json: bool) -> None:
    """Prove the books: every balance from its postings, every movement by its posting.

    Exits 0 when they hold, 5 when anything does not add up.
    """
    found = run_async(_verify(settings_of(ctx)))
    if as_json:
        print_json(found)
    else:
        _say(found)
    if not found.ok:
        ctx.exit(_EXIT_FAULT)


async def _verify(settings: Settings) -> Verification:
    async with open_database(settings) as pool:
        return await verify_books(pool)


def _say(found: Verification) -> None:
    verdict = "The books hold" if found.ok else "The books do NOT hold"
    console.print(
        f"{verdict}: {found.postings} postings in {found.wallets} wallets, "
        f"{found.deliveries} deliveries.",
        style="bold green" if found.ok else "bold red",
    )
    sealed = "nothing is sealed yet" if found.sealed_until is None else f"{found.sealed_until}"
    console.print(f"Sealed until: {sealed}.")
    if found.faults:
        print_table(
            ("check", "player", "currency", "what does not add up"),
            ((one.check, one.user_id, one.currency, one.detail) for one in found.faults),
        )
