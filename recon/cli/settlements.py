"""``recon settlements``: files in which a PSP says what it has settled, against our books."""

from __future__ import annotations

import getpass
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from recon.cli.context import (
    console,
    open_database,
    print_json,
    progress_console,
    run_async,
    settings_of,
)
from recon.cli.durations import optional_duration
from recon.cli.tables import print_table
from recon.cli.verbs import Verbs
from recon.clock import format_time
from recon.errors import Invalid
from recon.opening import account_of
from recon.settlements import (
    Account,
    FindingKind,
    FindingState,
    ImportOptions,
    import_settlement,
    list_files,
    list_findings,
    read_batches,
    read_file,
)
from recon.settlements.formats import delimiters
from recon.settlements.formats.plain import COLUMNS
from recon.settlements.views import (
    FindingView,
    SettlementDetail,
    SettlementView,
    finding_view,
    settlement_detail,
    settlement_view,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import timedelta
    from typing import BinaryIO
    from uuid import UUID

    from recon.settings import Settings

__all__ = ["settlements"]

_EXIT_OPEN = 3
_SHOWN_AT_ONCE = 500


@click.group(cls=Verbs)
def settlements() -> None:
    """Files in which a PSP says what it has settled, against what is booked here."""


class _Columns(click.ParamType[tuple[str, str]]):
    """``reference=Ref``: our name of a column, and the file's."""

    name = "ours=theirs"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The two names."""
        ours, equals, theirs = value.partition("=")
        if ours not in COLUMNS or not equals or not theirs:
            self.fail(f"{value!r} is not {'|'.join(COLUMNS)}=NAME", param, ctx)
        return ours, theirs


def _zone(_ctx: click.Context, param: click.Parameter, value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"{value!r} is no time zone", param=param) from None
    return value


@settlements.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--endpoint", required=True, help="The PSP account, as in RECON_PSP__<ENDPOINT>__…")
@click.option(
    "--column",
    "columns",
    type=_Columns(),
    multiple=True,
    help="Of a plain file: our name of a column and the file's, as in reference=Ref; repeatable.",
)
@click.option(
    "--delimiter", help="Between columns, \\t for a tab. Default: what it turns out to be."
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    callback=_zone,
    help="Of times that do not say theirs (IANA).",
)
@click.option(
    "--grace",
    callback=optional_duration,
    help="How long after it is booked a payment may be in no file. Default:"
    " RECON_SETTLEMENT_GRACE.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def import_command(
    ctx: click.Context,
    file: Path,
    endpoint: str,
    columns: tuple[tuple[str, str], ...],
    delimiter: str | None,
    timezone: str,
    grace: timedelta | None,
    *,
    as_json: bool,
) -> None:
    """Compare a PSP's settlement file with the books, payment by payment.

    FILE may be packed by gzip. It is Adyen's settlement details report, an itemised report of
    Stripe's (payout reconciliation, balance change from activity, payouts), or a plain CSV with a
    header and these columns, of which --column names those that are called otherwise:

    \b
      payment_id, reference   one of the two: the PSP's id, or ours
      amount, currency        decimal, above zero; ISO 4217
      settled_at              ISO 8601, or YYYY-MM-DD HH:MM:SS in --timezone
      kind                    deposit (the default), refund, refund_reversed,
                              chargeback, chargeback_reversed, withdrawal,
                              withdrawal_returned, fee, payout, transfer
      effect_id, fee, net, batch, line_id, user_id    where there are any

    docs/settlements.md says more. The same file again, or the same lines in another, change
    nothing. Exits 0 when every line agrees, 3 when findings are open, 1 when nothing was imported.
    """  # noqa: D301 - the backspace is click's own mark of lines that it must not fill
    settings = settings_of(ctx)
    if endpoint not in settings.psp:
        known = ", ".join(sorted(settings.psp)) or "none"
        raise click.UsageError(f"there is no endpoint {endpoint!r}; configured: {known}")
    if delimiter == "\\t":
        delimiter = "\t"
    try:
        delimiters(delimiter)
    except Invalid as error:
        raise click.BadParameter(error.message, ctx, param_hint="--delimiter") from None
    account = account_of(settings, endpoint)
    options = ImportOptions(
        columns=dict(columns),
        delimiter=delimiter,
        timezone=timezone,
        grace=grace or settings.settlement_grace,
    )
    detail, repeated = run_async(_import(settings, file, account, options))
    if as_json:
        print_json(detail)
    else:
        if repeated:
            console.print("This file was imported before; nothing has changed.")
        _say(detail)
    if detail.file.open_findings:
        ctx.exit(_EXIT_OPEN)


async def _import(
    settings: Settings, file: Path, account: Account, options: ImportOptions
) -> tuple[SettlementDetail, bool]:
    async with open_database(settings) as pool:
        with _opened(file) as source, progress_console.status("…") as status:
            imported = await import_settlement(
                pool,
                source,
                name=file.name,
                account=account,
                options=options,
                actor=f"cli:{_user()}",
                progress=lambda step: status.update(f"{step} …"),
            )
        async with pool.acquire() as connection:
            batches = await read_batches(connection, imported.file.file_id)
    return settlement_detail(imported.file, batches), imported.is_repeated


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """The file; what comes through a pipe is kept first, as it is read from its beginning twice."""
    with file.open("rb") as source:
        if source.seekable():
            yield source
            return
        with tempfile.TemporaryFile() as kept:
            shutil.copyfileobj(source, kept, 2**20)
            kept.seek(0)
            yield kept


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"


@settlements.command("list")
@click.option("--endpoint", help="Only this PSP account.")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_command(ctx: click.Context, endpoint: str | None, limit: int, *, as_json: bool) -> None:
    """Imported files, newest first. Exits 3 when findings of one of them are open."""
    files = run_async(_list(settings_of(ctx), endpoint, limit))
    if as_json:
        print_json(files)
    else:
        print_table(
            ("file", "imported", "endpoint", "name", "lines", "matched", "open"),
            (
                (
                    *(str(file.file_id), format_time(file.imported_at), file.endpoint, file.name),
                    *(str(file.lines), str(file.matched), str(file.open_findings)),
                )
                for file in files
            ),
            amounts=("lines", "matched", "open"),
            nothing="No file was imported yet.",
        )
    if any(file.open_findings for file in files):
        ctx.exit(_EXIT_OPEN)


async def _list(settings: Settings, endpoint: str | None, limit: int) -> list[SettlementView]:
    async with open_database(settings) as pool, pool.acquire() as connection:
        files = await list_files(connection, endpoint=endpoint, limit=limit)
    return [settlement_view(file) for file in files]


@settlements.command()
@click.argument("file_id", type=click.UUID)
@click.option(
    "--state",
    type=click.Choice([state.value for state in FindingState]),
    help="Of findings; default: any.",
)
@click.option(
    "--kind",
    type=click.Choice([kind.value for kind in FindingKind]),
    help="Of findings; default: any.",
)
@click.option("--after", type=click.UUID, help="Go on after this finding.")
@click.option("--limit", type=click.IntRange(0, _SHOWN_AT_ONCE), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(
    ctx: click.Context,
    file_id: UUID,
    state: str | None,
    kind: str | None,
    after: UUID | None,
    limit: int,
    *,
    as_json: bool,
) -> None:
    """A file: what its lines come to, its batches, and what was found. Exits 3 if some is open."""
    detail, findings = run_async(
        _show(
            settings_of(ctx),
            file_id,
            None if state is None else FindingState(state),
            None if kind is None else FindingKind(kind),
            after,
            limit,
        )
    )
    if as_json:
        print_json({"settlement": detail, "findings": findings})
    else:
        _say(detail)
        _say_findings(findings)
    if detail.file.open_findings:
        ctx.exit(_EXIT_OPEN)


async def _show(
    settings: Settings,
    file_id: UUID,
    state: FindingState | None,
    kind: FindingKind | None,
    after: UUID | None,
    limit: int,
) -> tuple[SettlementDetail, list[FindingView]]:
    async with open_database(settings) as pool, pool.acquire() as connection:
        file = await read_file(connection, file_id)
        batches = await read_batches(connection, file_id)
        findings = await list_findings(
            connection, file_id, state=state, kind=kind, after=after, limit=limit
        )
    return settlement_detail(file, batches), [finding_view(finding) for finding in findings]


def _say(detail: SettlementDetail) -> None:
    file = detail.file
    console.print(
        f"{file.name} of {file.endpoint}, {format_time(file.period_from)} to"
        f" {format_time(file.period_to)}: {file.lines} lines, {file.new_lines} new,"
        f" {file.repeated_lines} repeated, {file.duplicate_lines} twice in it,"
        f" {file.rejected_lines} rejected. {file.matched} payments agree,"
        f" {file.open_findings} findings are open. {file.file_id}",
        markup=False,
        soft_wrap=True,
    )
    print_table(
        ("kind", "type", "lines", "gross", "fee", "net"),
        (
            (
                *(total.kind, total.type, str(total.lines)),
                f"{total.gross} {total.currency}" if total.gross is not None else "",
                f"{total.fee} {total.net_currency}",
                f"{total.net} {total.net_currency}",
            )
            for total in detail.totals
        ),
        amounts=("lines", "gross", "fee", "net"),
    )
    if detail.batches:
        print_table(
            ("batch", "lines", "net", "paid", "left"),
            (
                (
                    *(batch.batch, str(batch.lines), f"{batch.net} {batch.currency}"),
                    f"{batch.paid} {batch.currency}" if batch.payouts else "no payout",
                    batch.difference,
                )
                for batch in detail.batches
            ),
            amounts=("lines", "net", "paid", "left"),
        )
    for kind, count in sorted(file.findings.items()):
        console.print(f"{kind}: {count}")


def _say_findings(findings: list[FindingView]) -> None:
    if not findings:
        return
    print_table(
        ("line", "kind", "state", "payment", "player", "settled", "booked", "detail"),
        (
            (
                *("" if one.line_no is None else str(one.line_no), one.kind, one.state),
                *(one.reference or one.payment_id or "", one.user_id or ""),
                f"{one.settled} {one.settled_currency}" if one.settled else "",
                f"{one.booked} {one.booked_currency}" if one.booked else "",
                one.detail + (f" ({one.resolution})" if one.resolution else ""),
            )
            for one in findings
        ),
        amounts=("settled", "booked"),
    )
