"""``recon keys``: API keys of internal callers."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from recon.cli.context import (
    open_database,
    print_json,
    progress_console,
    run_async,
    settings_of,
)
from recon.cli.tables import print_table
from recon.cli.verbs import Verbs
from recon.clock import format_time, now, parse_duration
from recon.http import Scope
from recon.http.keys import create_key, list_keys, revoke_key

if TYPE_CHECKING:
    from datetime import datetime

    from recon.http.keys import ApiKey, CreatedKey
    from recon.settings import Settings

__all__ = ["keys"]

_NEVER = "never"
_LONGEST = timedelta(days=3660)


class _Lifetime(click.ParamType["timedelta | None"]):
    """A duration such as 90d, or ``never``."""

    name = "duration"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta | None:
        """Read the text."""
        if value == _NEVER:
            return None
        try:
            lifetime = parse_duration(value)
        except ValueError as error:
            self.fail(f"{error}, or {_NEVER}", param, ctx)
        if not lifetime:
            self.fail("a key that is born expired opens nothing", param, ctx)
        if lifetime > _LONGEST:
            self.fail(f"longer than 10 years is {_NEVER}", param, ctx)
        return lifetime


class _Scopes(click.ParamType["tuple[str, ...]"]):
    """One scope, or several separated by commas."""

    name = "scope"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Read the text."""
        scopes = tuple(part.strip() for part in value.split(",") if part.strip())
        unknown = [scope for scope in scopes if scope not in set(Scope)]
        if unknown or not scopes:
            self.fail(f"{value!r} is none of {', '.join(Scope)}", param, ctx)
        return scopes


@click.group(cls=Verbs)
def keys() -> None:
    """API keys of internal callers; only a hash of each is stored."""


@keys.command()
@click.option("--name", help="Who calls with it; without one, the key is a caller of its own.")
@click.option(
    "--scope",
    "--scopes",
    "scopes",
    multiple=True,
    required=True,
    type=_Scopes(),
    help=f"Repeatable, or several with commas: {', '.join(Scope)}.",
)
@click.option(
    "--expires",
    "lifetime",
    type=_Lifetime(),
    default="90d",
    show_default=True,
    help=f"After how long, or {_NEVER}.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def create(
    ctx: click.Context,
    *,
    name: str | None,
    scopes: tuple[tuple[str, ...], ...],
    lifetime: timedelta | None,
    as_json: bool,
) -> None:
    """Make a key. It is shown this once; to rotate, make a second and revoke the first later."""

    async def work(settings: Settings) -> CreatedKey:
        async with open_database(settings) as pool:
            return await create_key(
                pool,
                name=name or f"caller-{secrets.token_hex(4)}",
                scopes=[scope for some in scopes for scope in some],
                lifetime=lifetime,
            )

    created = run_async(work(settings_of(ctx)))
    if as_json:
        print_json(created)
        return
    # The key alone on stdout, so that it can be piped into a secret store.
    click.echo(created.key)
    progress_console.print(
        f"{created.key_id} may {', '.join(created.scopes)}; expires {_when(created.expires_at)}. "
        "The key is not shown again.",
        markup=False,
    )


@keys.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, *, as_json: bool) -> None:
    """Every key, newest first."""

    async def work(settings: Settings) -> list[ApiKey]:
        async with open_database(settings) as pool:
            return await list_keys(pool)

    found = run_async(work(settings_of(ctx)))
    if as_json:
        print_json(found)
        return
    print_table(
        ("key", "name", "scopes", "state", "expires", "last used"),
        (
            (
                *(key.key_id, key.name, " ".join(key.scopes), _state(key)),
                *(_when(key.expires_at), _when(key.last_used_at)),
            )
            for key in found
        ),
        nothing="No key was made yet.",
    )


@keys.command()
@click.argument("key_id")
@click.pass_context
def revoke(ctx: click.Context, *, key_id: str) -> None:
    """Refuse a key from now on."""

    async def work(settings: Settings) -> None:
        async with open_database(settings) as pool:
            await revoke_key(pool, key_id)

    run_async(work(settings_of(ctx)))
    progress_console.print(f"{key_id} is revoked.", markup=False)


def _state(key: ApiKey) -> str:
    if key.revoked_at is not None:
        return "revoked"
    expired = key.expires_at is not None and key.expires_at <= now()
    return "expired" if expired else "live"


def _when(instant: datetime | None) -> str:
    return _NEVER if instant is None else format_time(instant.replace(microsecond=0))
