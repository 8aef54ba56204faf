"""Consoles and logs: data on stdout, words to people and logs on stderr."""

from __future__ import annotations

import logging
import sys
from typing import Any

import msgspec
import structlog
from rich.console import Console

from recon.masking import masked

__all__ = ["configure_logging", "console", "progress_console"]

console = Console(soft_wrap=False)
"""For data: stdout."""

progress_console = Console(stderr=True)
"""For progress and words to people: stderr."""


def _mask_keys(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The last line of defence: whoever logs a key of the game or of a PSP shows its kind alone."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = masked(value)
    return event


def _to_json(event: structlog.typing.EventDict, **given: Any) -> str:  # noqa: ANN401 - structlog's own
    return msgspec.json.encode(event, enc_hook=given["default"]).decode()


def configure_logging(level: str) -> None:
    """Logs on stderr: JSON, or lines for people where a person looks."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    people = sys.stderr.isatty()
    renderer: list[structlog.typing.Processor] = (
        [_mask_keys, structlog.dev.ConsoleRenderer()]
        if people
        else [
            structlog.processors.format_exc_info,
            _mask_keys,
            structlog.processors.JSONRenderer(_to_json),
        ]
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
