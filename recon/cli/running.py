"""What the commands that run until they are told to end have in common."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
import msgspec

from recon.cli.log_alone import tell
from recon.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon.settings import Settings

__all__ = ["Ready", "announce", "told_to_end", "traced"]


class Ready(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a process says of itself, as one line on stdout, once it serves.

    Attributes:
        ends_within_s: from being told to end; for the parent of several.
    """

    url: str
    ends_within_s: float | None = None


@contextmanager
def traced(settings: Settings) -> Iterator[None]:
    """Keep spans, where they are wanted; elsewhere nothing of OpenTelemetry is loaded.

    Raises:
        ConfigurationError: they are wanted, and the extra is not installed.
    """
    if not settings.tracing:
        yield
        return
    try:
        from recon.telemetry import otlp, telemetry  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "tracing is on, which needs OpenTelemetry: pip install '.[otel]'"
        ) from error
    with telemetry(otlp()):
        yield


def announce(
    host: str,
    port: int,
    *,
    as_json: bool,
    what: str = "serves",
    ends_within_s: float | None = None,
) -> None:
    """Say where we are, on stdout as JSON or in words."""
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if as_json:
        click.echo(msgspec.json.encode(Ready(url, ends_within_s)))
        sys.stdout.flush()
    else:
        tell(f"recon {what} {url}", "ready", url=url)


def told_to_end(*more: signal.Signals) -> asyncio.Future[signal.Signals]:
    """The signal by which this process is told to end: SIGTERM, SIGINT or one more."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[signal.Signals] = loop.create_future()

    def end(by: signal.Signals) -> None:
        if not told.done():
            told.set_result(by)

    for number in (signal.SIGTERM, signal.SIGINT, *more):
        # As `nohup` has it.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, end, number)
    return told
