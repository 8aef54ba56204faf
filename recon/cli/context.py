"""What every command needs: settings, the database, consoles, and one way to end."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from recon.cli.console import configure_logging, console, progress_console
from recon.cli.log_alone import warn
from recon.db import Pool, open_pool
from recon.opening import open_database_url
from recon.settings import Settings, ignored_variables, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

__all__ = [
    "console",
    "flags_of",
    "open_database",
    "print_json",
    "progress_console",
    "run_async",
    "settings_of",
]

T = TypeVar("T")

_FLAGS = ("database_url", "data_dir", "log_level")


def settings_of(ctx: click.Context) -> Settings:
    """The settings, with the flags of the main command over everything else.

    From here on they rule what is logged; variables that look like settings are named on stderr.
    """
    settings = load_settings(**flags_of(ctx))
    configure_logging(settings.log_level)
    for name in ignored_variables():
        warn(f"{name} is no setting; it is ignored.", "no_setting", name=name)
    return settings


def flags_of(ctx: click.Context) -> dict[str, object]:
    """The settings that the main command was given as flags."""
    given = ctx.find_root().params
    return {name: given[name] for name in _FLAGS if given.get(name) is not None}


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Pool]:
    """A pool on the configured database; the embedded one is started, and its schema brought up."""
    async with open_database_url(settings) as url, open_pool(url, max_size=8) as pool:
        yield pool


def run_async(work: Coroutine[Any, Any, T]) -> T:
    """Run a command's coroutine to its end."""
    return asyncio.run(work)


def print_json(value: object) -> None:
    """Data on stdout: one JSON document and a newline."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    click.echo(text)
