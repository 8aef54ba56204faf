"""``recon verify``: prove the books from the entries, and that nothing of them was rewritten."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from recon.cli.context import console, open_database, print_json, run_async, settings_of
from recon.cli.tables import print_table
from recon.clock import format_time
from recon.opening import seal_keys_of
from recon.seals import Anchor, read_anchor, verify_all

if TYPE_CHECKING:
    from recon.seals import Proof
    from recon.settings import Settings

__all__ = ["verify"]

_EXIT_FAULT = 5

_SIGNATURES = {
    "checked": "every signature is right or vouched for by a later one",
    "unchecked": "signatures are there and were NOT checked: RECON_SEAL_KEYS is not set",
    "none": "nothing is signed: whoever owns the database could have made the chain anew",
}


class _Kept(msgspec.Struct):
    """What an earlier run printed; the rest of it is of no matter here."""

    last_seal: Anchor | None


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.option(
    "--anchor",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="What an earlier `verify --json` or `seal --json` printed: its last seal must stand.",
)
@click.pass_context
def verify(ctx: click.Context, anchor: Path | None, *, as_json: bool) -> None:
    """Prove the books: every balance from its postings, every movement by its posting.

    And their past: every sealed row is compared with its link, every link with its seal, and each
    seal with the one before. Rows behind the last seal are not covered yet. That the newest seals
    were cut off shows only against an anchor that was kept elsewhere: --anchor, or the file that
    RECON_SEAL_ANCHOR names, which the sealer keeps.

    Exits 0 when all of it holds, 5 when anything does not.
    """
    kept = None if anchor is None else _read(anchor)
    found = run_async(_verify(settings_of(ctx), kept))
    if as_json:
        print_json(found)
    else:
        _say(found)
    if not found.ok:
        ctx.exit(_EXIT_FAULT)


def _read(path: Path) -> Anchor:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept).last_seal
    except msgspec.DecodeError as error:
        raise click.BadParameter(f"{path} is not what `verify --json` prints: {error}") from None
    if kept is None:
        raise click.BadParameter(f"{path} names no seal: nothing was sealed then")
    return kept


async def _verify(settings: Settings, anchor: Anchor | None) -> Proof:
    async with open_database(settings) as pool:
        if anchor is None and settings.seal_anchor is not None:
            anchor = read_anchor(settings.seal_anchor)
        return await verify_all(pool, seal_keys_of(settings), anchor=anchor)


def _say(found: Proof) -> None:
    verdict = "The books hold" if found.ok else "The books do NOT hold"
    console.print(
        f"{verdict}: {found.postings} postings in {found.wallets} wallets, "
        f"{found.deliveries} deliveries.",
        style="bold green" if found.ok else "bold red",
    )
    if found.last_seal is None:
        console.print("Sealed until: nothing is sealed yet.")
    else:
        until = "the first pass is under way"
        if found.sealed_until is not None:
            until = format_time(found.sealed_until)
        console.print(
            f"Sealed until: {until}, {found.sealed_rows} rows in {found.seals} seals; "
            f"{_SIGNATURES[found.signatures]}."
        )
        console.print(
            f"Last seal: {found.last_seal.number}, {found.last_seal.hash}.", soft_wrap=True
        )
        if found.certain_before is not None:
            console.print(
                "Rows put in afterwards are recognised before: "
                f"{format_time(found.certain_before)}."
            )
    for warning in found.warnings:
        console.print(f"Warning: {warning}.", style="yellow", soft_wrap=True)
    if found.unsealed.since is not None:
        console.print(
            f"Not covered yet: {found.unsealed.rows} rows, "
            f"the oldest of {format_time(found.unsealed.since)}."
        )
    if found.faults:
        print_table(
            ("check", "player", "currency", "what does not add up"),
            ((one.check, one.user_id, one.currency, one.detail) for one in found.faults),
        )
