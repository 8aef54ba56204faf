"""What every command needs: settings, the database, consoles, and one way to end."""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
import structlog
from rich.console import Console

from recon.app import open_database_url
from recon.db import Pool, open_pool
from recon.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

__all__ = [
    "configure_logging",
    "console",
    "open_database",
    "print_json",
    "progress_console",
    "run_async",
    "settings_of",
]

T = TypeVar("T")

console = Console(soft_wrap=False)
"""For data: stdout."""

progress_console = Console(stderr=True)
"""For progress and words to people: stderr."""


def settings_of(ctx: click.Context) -> Settings:
    """The settings, with the flags of the main command over everything else."""
    flags = ctx.find_root().params
    return load_settings(database_url=flags.get("database_url"), data_dir=flags.get("data_dir"))


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


def configure_logging(level: str) -> None:
    """Logs on stderr: JSON, or lines for people where a person looks."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    people = sys.stderr.isatty()
    renderer: list[structlog.typing.Processor] = (
        [structlog.dev.ConsoleRenderer()]
        if people
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(name)s: %(message)s")
