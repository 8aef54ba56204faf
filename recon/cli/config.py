"""``recon config show`` and ``recon doctor``: what is set, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import click
from rich.table import Table

from recon.alerting import alerting_of
from recon.alerts import read_channels
from recon.app import api_accounts_of, oidc_client_of, open_game
from recon.cli.context import console, flags_of, print_json, run_async, settings_of
from recon.cli.verbs import Verbs
from recon.clock import format_time, now
from recon.db import open_pool
from recon.db.pool import SEARCH_PATH, is_lent
from recon.db.replica import open_replica
from recon.db.schema import schema_status
from recon.errors import ReconError
from recon.game.examining import examine
from recon.game.stream import read_holding
from recon.game.watching import Announced, read_announced
from recon.opening import open_database_url, seal_keys_of
from recon.seals import excess_rights, last_seal, last_verification, why_not_after
from recon.settings import explain, ignored_variables
from recon.web import Provider, ProviderUnusable
from recon.webhooks import build_endpoints, read_proofs
from recon.webhooks.backfill import open_event_list

if TYPE_CHECKING:
    from recon.alerts import ChannelState
    from recon.db import Pool
    from recon.seals import Right, Seal, SealKeys
    from recon.settings import Settings

__all__ = ["config", "doctor"]

_EXIT_FAULT = 5
_LIST_TIMEOUT = timedelta(seconds=10)
_WAITS_TOO_LONG_S = 600


@click.group(cls=Verbs)
def config() -> None:
    """The settings."""


@config.command("show")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, *, as_json: bool) -> None:
    """Every setting and where it came from, secrets masked."""
    rows = explain(settings_of(ctx), flags_of(ctx))
    if as_json:
        print_json(rows)
        return
    table = Table("setting", "value", "from", box=None)
    for row in rows:
        table.add_row(row.name, row.value, row.source)
    console.print(table)


@dataclass(frozen=True, slots=True)
class _Finding:
    check: str
    ok: bool
    detail: str


@click.command()
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def doctor(ctx: click.Context, *, as_json: bool) -> None:
    """Say what is wrong with this set-up; exits 5 when something is."""
    findings = run_async(_examine(settings_of(ctx)))
    if as_json:
        print_json({"ok": all(f.ok for f in findings), "findings": findings})
    else:
        for finding in findings:
            mark = "[green]ok[/]   " if finding.ok else "[red]fault[/]"
            # Names that people have given, such as webhook:pager, are no pictures.
            console.print(f"{mark} {finding.check}: ", end="", emoji=False)
            console.print(finding.detail, markup=False, highlight=False)
    if not all(finding.ok for finding in findings):
        ctx.exit(_EXIT_FAULT)


async def _examine(settings: Settings) -> list[_Finding]:
    findings = [*await _database(settings), *await _replica(settings), *await _past(settings)]
    findings.append(await _game(settings))
    findings += await _stream(settings)
    if settings.psp:
        named = ", ".join(f"{name} ({psp.provider})" for name, psp in settings.psp.items())
        findings.append(_Finding("psp", ok=True, detail=named))
    else:
        findings.append(
            _Finding("psp", ok=False, detail="no PSP is configured: RECON_PSP__<ENDPOINT>__…")
        )
    findings += [
        _Finding(
            f"psp {name}",
            ok=False,
            detail="set MERCHANT_ACCOUNT: Adyen's signature is ambiguous without a fixed account",
        )
        for name, psp in settings.psp.items()
        if psp.provider == "adyen" and psp.merchant_account is None
    ]
    findings += [await _event_list(name, settings) for name in _stripes(settings)]
    findings += await _proofs(settings)
    findings += await _books(settings)
    findings += await _alerts(settings)
    findings.append(await _sign_in(settings))
    findings += [
        _Finding("environment", ok=False, detail=f"{name} is no setting; it is ignored")
        for name in ignored_variables()
    ]
    return findings


def _stripes(settings: Settings) -> list[str]:
    return [name for name, psp in settings.psp.items() if psp.provider == "stripe"]


async def _event_list(name: str, settings: Settings) -> _Finding:
    check = f"psp {name} events"
    try:
        accounts = api_accounts_of(settings)
        found = [account for account in accounts if account.endpoint.name == name]
        if not found:
            detail = "API_KEY is not set: events that no webhook brings are not looked for"
            return _Finding(check, ok=True, detail=detail)
        async with open_event_list(found[0], timeout=_LIST_TIMEOUT) as events:
            newest = await events.newest()
    except ReconError as error:
        return _Finding(check, ok=False, detail=error.message)
    said = "none in the last 30 days" if newest is None else f"the newest is {newest.event_id}"
    return _Finding(check, ok=True, detail=f"its list can be read; {said}")


async def _database(settings: Settings) -> list[_Finding]:
    try:
        async with open_database_url(settings) as url, open_pool(url, max_size=2) as pool:
            version = await pool.fetchval("SHOW server_version")
            status = await schema_status(url)
            careless = [
                name
                for name in ("fsync", "full_page_writes")
                if await pool.fetchval("SELECT current_setting($1)", name) == "off"
            ]
            between = [await _pooler(pool)] if is_lent(pool) else []
    except ReconError as error:
        return [_Finding("database", ok=False, detail=error.message)]
    if careless:
        detail = f"{' and '.join(careless)} off: a power cut may lose what a PSP was told is kept"
        return [_Finding("database", ok=False, detail=detail), *between]
    kind = "embedded" if settings.database_url is None else "configured"
    schema = "up to date" if status.up_to_date else f"at {status.current}, newer than {status.head}"
    detail = f"PostgreSQL {version}, {kind}, schema {schema}"
    return [_Finding("database", ok=True, detail=detail), *between]


async def _replica(settings: Settings) -> list[_Finding]:
    """Whether the read replica is one, and how far it is behind."""
    check, url = "database replica", settings.replica_database_url
    if url is None:
        return []
    try:
        async with (
            open_database_url(settings) as primary_url,
            open_pool(primary_url, max_size=2) as primary,
            open_replica(
                url.get_secret_value(), primary, max_size=2, at_most=settings.replica_max_lag
            ) as replica,
        ):
            look = await replica.look()
    except ReconError as error:
        return [_Finding(check, ok=False, detail=f"{error.message}; pages read the primary")]
    behind_s, at_most_s = look.behind.total_seconds(), settings.replica_max_lag.total_seconds()
    detail = f"{behind_s:.1f} s behind; pages and exports are read from it"
    if behind_s > at_most_s:
        detail = f"{behind_s:.0f} s behind, more than {at_most_s:g} s; pages read the primary"
    return [_Finding(check, ok=behind_s <= at_most_s, detail=detail)]


async def _pooler(pool: Pool) -> _Finding:
    """What a pooler between us and Postgres comes to."""
    path = await pool.fetchval("SHOW search_path")
    if path == SEARCH_PATH:
        detail = "one stands between: no session is relied on, and jobs are looked for every second"
        return _Finding("database pooler", ok=True, detail=detail)
    detail = (
        f"its sessions look names up by search_path {path}: have it set {SEARCH_PATH}, by"
        " connect_query as in deploy/pgbouncer.ini"
    )
    return _Finding("database pooler", ok=False, detail=detail)


async def _proofs(settings: Settings) -> list[_Finding]:
    """By which secrets and clocks the PSPs' calls have proven themselves of late."""
    if not settings.psp:
        return []
    try:
        endpoints = build_endpoints(settings.psp)
        async with (
            open_database_url(settings) as url,
            open_pool(url, max_size=2) as pool,
            pool.acquire() as connection,
        ):
            proofs = await read_proofs(connection, endpoints.values(), now=now())
    except ReconError as error:
        return [_Finding("psp secrets", ok=False, detail=error.message)]
    findings = []
    for one in proofs:
        check = f"psp {one.endpoint}"
        findings += [
            _Finding(
                check,
                ok=False,
                detail=f"an old key is still in use, last at {format_time(use.used_at)}"
                f" ({use.key}): keep it until the PSP signs with the newest alone",
            )
            for use in one.old_in_use
            if use.used_at is not None
        ]
        findings += [
            _Finding(
                check,
                ok=True,
                detail=f"the old key {use.key} has verified nothing for seven days: remove it once"
                " the PSP signs with the newest alone",
            )
            for use in one.removable
        ]
        if one.is_skewed:
            findings.append(
                _Finding(
                    check,
                    ok=False,
                    detail=f"our clock is {one.skew_s:+.0f} s from the times it signs (median of"
                    f" {one.calls}); past 300 s its calls are refused",
                )
            )
    return findings


async def _books(settings: Settings) -> list[_Finding]:
    """What the service's own verification of its books found last."""
    if settings.verify_every is None:
        detail = "verified by nobody but `recon verify`: RECON_VERIFY_EVERY is off"
        return [_Finding("books", ok=True, detail=detail)]
    try:
        async with open_database_url(settings) as url, open_pool(url, max_size=2) as pool:
            last = await last_verification(pool)
    except ReconError:
        return []  # said of the database
    if last is None:
        return [_Finding("books", ok=True, detail="no worker has verified them yet")]
    at = format_time(last.finished_at)
    match last.state:
        case "holds":
            detail = f"they held when they were verified, at {at}"
        case "faulty":
            detail = f"{last.faults} faults were found at {at}: `recon verify` names them"
        case _:
            detail = f"they could not be verified at {at}: {last.reason}"
    return [_Finding("books", ok=last.state == "holds", detail=detail)]


async def _sign_in(settings: Settings) -> _Finding:
    """By which ways staff come in, and whether the provider could be asked now."""
    client = oidc_client_of(settings)
    if client is None:
        return _Finding("sign-in", ok=True, detail="by password; no OIDC provider is set up")
    try:
        provider = Provider(client)
        keys = await provider.keys()
    except ProviderUnusable as error:
        return _Finding("sign-in", ok=False, detail=f"{client.issuer}: {error.detail}")
    ways = "by OIDC and by password" if settings.password_sign_in else "by OIDC"
    detail = (
        f"{ways}; {client.issuer} answers, signing keys: {len(keys.keys)};"
        f" it must know our callback, {client.redirect_uri}"
    )
    return _Finding("sign-in", ok=True, detail=detail)


async def _alerts(settings: Settings) -> list[_Finding]:
    """Whether anybody would be told of anything, and was."""
    alerting = alerting_of(settings)
    if alerting is None:
        detail = "nobody is told of anything: RECON_ALERTS__WEBHOOKS__… and RECON_ALERTS__EMAIL__…"
        return [_Finding("alerts", ok=True, detail=detail)]
    try:
        async with open_database_url(settings) as url, open_pool(url, max_size=2) as pool:
            known = {state.channel: state for state in await read_channels(pool)}
    except ReconError:
        return []  # said of the database
    return [_channel(channel.name, known.get(channel.name)) for channel in alerting.channels]


def _channel(name: str, state: ChannelState | None) -> _Finding:
    check = f"alerts {name}"
    if state is None:
        detail = f"no worker has run with it yet; try `recon alerts test {name}`"
        return _Finding(check, ok=True, detail=detail)
    faults = []
    if state.disabled_at is not None:
        faults.append(
            f"disabled at {format_time(state.disabled_at)}: {state.disabled_reason}; give it"
            f" another address, or `recon alerts enable {name}`"
        )
    if state.oldest_s is not None and state.oldest_s > _WAITS_TOO_LONG_S:
        faults.append(
            f"{state.pending} on their way, the oldest for {state.oldest_s} s: {state.last_error}"
        )
    if state.given_up:
        faults.append(f"{state.given_up} of the last seven days were given up")
    sent = "none was sent yet" if state.sent_at is None else format_time(state.sent_at)
    return _Finding(check, ok=not faults, detail="; ".join(faults) or f"the last one: {sent}")


async def _game(settings: Settings) -> _Finding:
    known = await _announced(settings)
    out_of_reach = (
        []
        if known.down_since is None
        else [f"the service has not reached it since {format_time(known.down_since)}"]
    )
    try:
        async with open_game(settings) as game:
            if game is None:
                return _Finding("game", ok=False, detail="RECON_GAME_URL is not set")
            state = await game.state()
            faults = await examine(game, state, signs=settings.game_signing_secret is not None)
            notices = {(one.kind, one.operation): str(one) for one in known.notices}
            notices |= {(one.kind, one.operation): str(one) for one in game.notices}
    except ReconError as error:
        return _Finding("game", ok=False, detail="; ".join([error.message, *out_of_reach]))
    noticed = [*out_of_reach, *faults, *notices.values()]
    if settings.game_signing_secret is None:
        noticed.append("RECON_GAME_SIGNING_SECRET is not set: no bet can be placed")
    detail = f"round {state.round_id} is {state.status}"
    return _Finding("game", ok=not noticed, detail="; ".join([detail, *noticed]))


async def _announced(settings: Settings) -> Announced:
    """What the service's processes know of the game, beyond what this command hears itself."""
    try:
        async with open_database_url(settings) as url, open_pool(url, max_size=2) as pool:
            return await read_announced(pool)
    except ReconError:
        return Announced(None, ())  # said of the database


async def _stream(settings: Settings) -> list[_Finding]:
    """Whether anybody listens to the game, as the database has it."""
    check = "game stream"
    if settings.game_url is None:
        return []
    if not settings.game_stream:
        return [_Finding(check, ok=True, detail="off: bets settle when the jobs ask")]
    try:
        async with open_database_url(settings) as url, open_pool(url, max_size=2) as pool:
            holding = await read_holding(pool)
    except ReconError:
        return []  # said of the database
    if holding is None or not holding.is_held:
        # One that has let go, for another to try, is there all the same and takes it again soon.
        last = (
            "" if holding is None or holding.failure is None else f"; the last: {holding.failure}"
        )
        return [_Finding(check, ok=True, detail=f"no worker runs that would listen{last}")]
    if holding.connected_at is not None and holding.heard_at is not None:
        since, heard = format_time(holding.connected_at), format_time(holding.heard_at)
        detail = f"one process listens, since {since}; the game was last heard at {heard}"
        return [_Finding(check, ok=True, detail=detail)]
    reason = holding.failure or "it is connecting"
    detail = f"the process that has held it since {format_time(holding.held_since)}: {reason}"
    return [_Finding(check, ok=False, detail=detail)]


async def _past(settings: Settings) -> list[_Finding]:
    """Whether what was written can be rewritten, and whether that would show."""
    try:
        async with open_database_url(settings) as url, open_pool(url, max_size=2) as pool:
            rights = await excess_rights(pool)
            async with pool.acquire() as connection:
                last = await last_seal(connection)
    except ReconError:
        return []  # said by the one above
    return [_role(rights), _seals(seal_keys_of(settings), last)]


def _role(rights: list[Right]) -> _Finding:
    if not rights:
        detail = "the service's role can change nothing that was written"
        return _Finding("database role", ok=True, detail=detail)
    detail = (
        f"the service connects as {rights[0].role}, which {', '.join(one.why for one in rights)}:"
        " give it a role of its own and migrate as the owner, RECON_MIGRATION_DATABASE_URL"
        ' (README, "Run it for real")'
    )
    return _Finding("database role", ok=False, detail=detail)


def _seals(keys: SealKeys, last: Seal | None) -> _Finding:
    reason = None if last is None else why_not_after(last, keys)
    if reason is None and not keys:
        reason = (
            "RECON_SEAL_KEYS is not set: the chain is by hash alone, and whoever owns the database"
            " could make it anew"
        )
    if reason is not None:
        return _Finding("seals", ok=False, detail=reason)
    if last is None or last.covers_until is None:
        return _Finding("seals", ok=True, detail="nothing is sealed yet")
    until = format_time(last.covers_until)
    return _Finding("seals", ok=True, detail=f"sealed until {until}, by key {last.key_id}")
