"""``recon seal``: seal what is new, now; the jobs do it every ten seconds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recon.cli.context import open_database, print_json, progress_console, run_async, settings_of
from recon.opening import seal_keys_of
from recon.seals import Anchor, Sealer

if TYPE_CHECKING:
    from recon.seals import Sealed
    from recon.settings import Settings

__all__ = ["seal"]


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option(
    "--adopt", is_flag=True, help="Sign behind a chain that is not the one known so far, or begin."
)
@click.pass_context
def seal(ctx: click.Context, *, as_json: bool, adopt: bool) -> None:
    """Link and seal every row that was committed before now.

    With --json, the last seal is printed: kept elsewhere, it is an anchor for `verify --anchor`.
    """
    done = run_async(_seal(settings_of(ctx), adopt=adopt))
    last = done.last if done else None
    anchor = Anchor(last.number, last.hash.hex(), last.sealed_at, last.key_id) if last else None
    if as_json:
        rows, seals = (done.rows, done.seals) if done else (0, 0)
        print_json({"rows": rows, "seals": seals, "last_seal": anchor})
    elif done is None:
        progress_console.print("Another sealer is at work.")
    else:
        said = f"; the last is {last.number}, {last.hash.hex()}" if last else ""
        progress_console.print(f"{done.rows} rows in {done.seals} new seals{said}.", soft_wrap=True)


async def _seal(settings: Settings, *, adopt: bool) -> Sealed | None:
    async with open_database(settings) as pool:
        sealer = Sealer(pool, seal_keys_of(settings), anchor=settings.seal_anchor)
        return await sealer.run(deep=True, adopt=adopt)
