"""``recon migrate``: the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recon.cli.context import print_json, progress_console, run_async, settings_of
from recon.db.embedded import SERVICE_USER, embedded_postgres
from recon.db.grants import role_of
from recon.db.migrations import migrate as bring_up
from recon.db.schema import SchemaStatus, schema_status

if TYPE_CHECKING:
    from recon.settings import Settings

__all__ = ["migrate"]

_EXIT_BEHIND = 1


@click.command()
@click.argument("action", type=click.Choice(["up", "status"]), default="up")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def migrate(ctx: click.Context, action: str, *, as_json: bool) -> None:
    """Bring the schema up to this version, or say where it is.

    As the role of RECON_MIGRATION_DATABASE_URL, where it is set; the role of RECON_DATABASE_URL is
    then granted what the service needs, and nothing else.
    """
    settings = settings_of(ctx)
    status = run_async(_run(settings, up=action == "up"))
    if as_json:
        print_json(
            {"current": status.current, "head": status.head, "up_to_date": status.up_to_date}
        )
    elif status.up_to_date:
        progress_console.print(f"The schema is up to date, at {status.head}.")
    else:
        progress_console.print(
            f"The schema is at {status.current}, this version's is {status.head}."
        )
    if not status.up_to_date:
        ctx.exit(_EXIT_BEHIND)


async def _run(settings: Settings, *, up: bool) -> SchemaStatus:
    if settings.database_url is None:
        async with embedded_postgres(settings.data_dir) as server:
            return await _work(server.dsn, SERVICE_USER, up=up)
    service = settings.database_url.get_secret_value()
    owner = settings.migration_database_url or settings.database_url
    role = await role_of(service) if up else None
    return await _work(owner.get_secret_value(), role, up=up)


async def _work(owner: str, service_role: str | None, *, up: bool) -> SchemaStatus:
    if not up:
        return await schema_status(owner)
    return await bring_up(owner, service_role=service_role, regrant=True)
