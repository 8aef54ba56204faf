"""A service's stderr is its log: each line is JSON, whoever writes it, unless a person looks.

Other commands are run by people, and by scripts that show people what went wrong; they speak in
words (`recon.cli.console.progress_console`).
"""

from __future__ import annotations

import logging
import sys
import threading
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Final

import click
import structlog

from recon.cli.console import progress_console
from recon.errors import ReconError
from recon.settings import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["exit_code_of", "log_alone", "tell", "warn"]

log = structlog.get_logger(__name__)

_EXIT_FAILED: Final = 1
_EXIT_USAGE: Final = 2

_is_alone: Final = ContextVar("log_alone", default=False)


def exit_code_of(error: ReconError) -> int:
    """What a command that ends by an error of ours exits with."""
    return _EXIT_USAGE if error.code == ConfigurationError.code else _EXIT_FAILED


def tell(words: str, event: str, **values: object) -> None:
    """Say something in words, or as an event of the log where that is alone."""
    if _is_alone.get():
        log.info(event, **values)
    else:
        progress_console.print(words)


def warn(words: str, event: str, **values: object) -> None:
    """Say what is odd, likewise."""
    if _is_alone.get():
        log.warning(event, **values)
    else:
        progress_console.print(words, style="yellow")


@contextmanager
def log_alone() -> Iterator[None]:
    """Log what Python, or we, would otherwise say in words on stderr, for the length of a service.

    Raises:
        Exit: it ended by an error that people would be told of; it is logged.
    """
    if sys.stderr.isatty():
        yield
        return
    logging.captureWarnings(capture=True)
    threads, unraisable = threading.excepthook, sys.unraisablehook
    threading.excepthook = _log_thread
    sys.unraisablehook = _log_unraisable
    alone = _is_alone.set(True)
    try:
        yield
    except ReconError as error:
        log.error("not_serving", code=error.code, faults=error.message.splitlines())  # noqa: TRY400
        raise click.exceptions.Exit(exit_code_of(error)) from None
    except click.ClickException as error:
        log.error("not_serving", faults=[error.format_message()])  # noqa: TRY400 - told, no crash
        raise click.exceptions.Exit(error.exit_code) from None
    finally:
        _is_alone.reset(alone)
        threading.excepthook, sys.unraisablehook = threads, unraisable
        logging.captureWarnings(capture=False)


def _log_thread(crash: threading.ExceptHookArgs) -> None:
    name = None if crash.thread is None else crash.thread.name
    log.error("thread_crashed", thread=name, exc_info=crash.exc_value)


def _log_unraisable(crash: sys.UnraisableHookArgs) -> None:
    # Not the object: what shows it may be what has crashed.
    log.error("error_ignored", where=crash.err_msg, exc_info=crash.exc_value)
