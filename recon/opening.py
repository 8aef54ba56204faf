"""What the settings name: the database with our schema, the keys that sign, accounts at PSPs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from recon.db.embedded import SERVICE_USER, embedded_postgres
from recon.db.grants import role_of
from recon.db.pool import DatabaseUnavailableError
from recon.db.schema import bring_up, schema_status
from recon.seals.keys import SealKeys, keys_of_data_dir

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.settings import Settings
    from recon.settlements import Account

__all__ = ["account_of", "open_database_url", "seal_keys_of"]


@asynccontextmanager
async def open_database_url(settings: Settings) -> AsyncIterator[str]:
    """The service's URL of a database with our schema; an embedded server lives as long as this.

    An embedded database is brought up to date, and so is a configured one that is still empty. One
    that is behind is left to `recon migrate`, because that is a decision.

    Raises:
        DatabaseUnavailableError: no server, or its schema is behind (``schema_behind``).
    """
    if settings.database_url is None:
        async with embedded_postgres(settings.data_dir) as server:
            await bring_up(server.dsn, service_role=SERVICE_USER)
            yield server.service_dsn
        return
    url = settings.database_url.get_secret_value()
    status = await schema_status(url)
    if status.current is None:
        owner = settings.migration_database_url
        status = await bring_up(
            url if owner is None else owner.get_secret_value(), service_role=await role_of(url)
        )
    if not status.is_served:
        if status.current is not None and status.current > status.head:
            raise DatabaseUnavailableError(
                f"the schema is at {status.current}, on which this version, of {status.head}, does"
                " not run: run a newer version",
                code="schema_ahead",
            )
        raise DatabaseUnavailableError(
            f"the schema is at {status.current}, this version needs {status.head}: "
            "run `recon migrate`",
            code="schema_behind",
        )
    yield url


def seal_keys_of(settings: Settings) -> SealKeys:
    """The keys that sign: those of the settings, or the file beside the embedded Postgres."""
    if settings.seal_keys or settings.database_url is not None:
        return SealKeys(key.get_secret_value() for key in settings.seal_keys)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    return keys_of_data_dir(settings.data_dir)


def account_of(settings: Settings, endpoint: str) -> Account:
    """The PSP account of a configured endpoint, as its settlement files are of it."""
    from recon.settlements import Account  # noqa: PLC0415 - most commands do without

    psp = settings.psp[endpoint]
    return Account(endpoint=endpoint, provider=psp.provider, merchant_account=psp.merchant_account)
