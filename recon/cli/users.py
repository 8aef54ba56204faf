"""``recon users``: finance staff."""

from __future__ import annotations

import sys
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
from recon.clock import format_time
from recon.web import Role, add_staff, disable_staff, list_staff, unlink_staff

if TYPE_CHECKING:
    from datetime import datetime

    from recon.settings import Settings
    from recon.web import StaffMember

__all__ = ["users"]

_ACTOR = "cli"


@click.group(cls=Verbs)
def users() -> None:
    """Finance staff, who sign in to the pages."""


@users.command()
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([str(role) for role in Role]),
    help="What they may do.",
)
@click.option(
    "--password-stdin",
    is_flag=True,
    help="Read the password's one line from stdin; else it is asked for.",
)
@click.option(
    "--no-password",
    is_flag=True,
    help="They sign in by the OIDC provider, or by a one-time link.",
)
@click.pass_context
def add(
    ctx: click.Context, *, name: str, role: str, password_stdin: bool, no_password: bool
) -> None:
    """Let NAME sign in. A password has 12 characters or more, and is never an argument."""
    if password_stdin and no_password:
        raise click.UsageError("--password-stdin and --no-password cannot both be")
    password = None if no_password else _from_stdin() if password_stdin else _asked()

    async def work(settings: Settings) -> None:
        async with open_database(settings) as pool:
            await add_staff(pool, name=name, role=Role(role), password=password, actor=_ACTOR)

    run_async(work(settings_of(ctx)))
    progress_console.print(f"{name} may sign in as {role}.", markup=False)


@users.command("list")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_(ctx: click.Context, *, as_json: bool) -> None:
    """Everybody, by name."""

    async def work(settings: Settings) -> list[StaffMember]:
        async with open_database(settings) as pool:
            return await list_staff(pool)

    found = run_async(work(settings_of(ctx)))
    if as_json:
        print_json(found)
        return
    print_table(
        ("name", "role", "state", "added", "last seen"),
        (
            (
                *(member.name, member.role),
                "may sign in" if member.disabled_at is None else "disabled",
                *(_when(member.created_at), _when(member.last_seen_at)),
            )
            for member in found
        ),
        nothing="Nobody is on the staff yet.",
    )


@users.command()
@click.argument("name")
@click.pass_context
def disable(ctx: click.Context, *, name: str) -> None:
    """Keep NAME out from now on, and end their sessions."""

    async def work(settings: Settings) -> None:
        async with open_database(settings) as pool:
            await disable_staff(pool, name, actor=_ACTOR)

    run_async(work(settings_of(ctx)))
    progress_console.print(f"{name} is disabled.", markup=False)


@users.command()
@click.argument("name")
@click.pass_context
def unlink(ctx: click.Context, *, name: str) -> None:
    """Forget which account of the OIDC provider NAME has; the next that signs in as NAME is it."""

    async def work(settings: Settings) -> None:
        async with open_database(settings) as pool:
            await unlink_staff(pool, name, actor=_ACTOR)

    run_async(work(settings_of(ctx)))
    progress_console.print(f"{name} is linked with no account any more.", markup=False)


def _from_stdin() -> str:
    # One line end belongs to the pipe, every other character to the password.
    return sys.stdin.readline().removesuffix("\n").removesuffix("\r")


def _asked() -> str:
    password: str = click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    return password


def _when(instant: datetime | None) -> str:
    return "never" if instant is None else format_time(instant.replace(microsecond=0))
