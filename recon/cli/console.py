"""Consoles and logs: data on stdout, words to people and logs on stderr."""

from __future__ import annotations

import logging
import sys
from io import StringIO
from typing import Any, TextIO, cast

import msgspec
import structlog
from rich.console import Console

from recon import tracing
from recon.cli.terminal import OutlivingTerminal
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
        event[name] = _shown(value)
    return event


def _add_trace(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The trace that this is part of, where one is kept; a caller's was bound with its request."""
    trace_id = tracing.current_trace_id()
    if trace_id is not None:
        event.setdefault("trace_id", trace_id)
    return event


def _shown(value: object) -> object:
    match value:
        case str() if value.isascii():
            return masked(value)
        case str():  # bytes of a header that are no UTF-8 must not cost us the whole line
            return masked(value.encode("utf-8", "replace").decode())
        case dict():
            return {name: _shown(item) for name, item in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_shown(item) for item in value]
    return value


def _to_json(event: structlog.typing.EventDict, **given: Any) -> str:  # noqa: ANN401 - structlog's own
    return masked(msgspec.json.encode(event, enc_hook=given["default"]).decode())


def _show_traceback(terminal: TextIO, exc_info: structlog.typing.ExcInfo) -> None:
    """As it is, without what is in the variables: passwords and bodies, which no mask knows."""
    written = StringIO()
    structlog.dev.plain_traceback(written, exc_info)
    terminal.write(masked(written.getvalue()))


def configure_logging(level: str) -> None:
    """Logs on stderr: JSON, or lines for people where a person looks; libraries' as our own."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    people = sys.stderr.isatty()
    renderer: list[structlog.typing.Processor] = (
        [_mask_keys, structlog.dev.ConsoleRenderer(exception_formatter=_show_traceback)]
        if people
        else [
            structlog.processors.format_exc_info,
            _mask_keys,
            structlog.processors.JSONRenderer(_to_json),
        ]
    )
    lines = cast("TextIO", OutlivingTerminal(sys.stderr))
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.WriteLoggerFactory(file=lines),
        cache_logger_on_first_use=True,
    )
    libraries = logging.StreamHandler(lines)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])
