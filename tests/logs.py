"""What one test configures of logging, the next does not inherit; a traceback costs little.

A pytest plugin: ``pytest_plugins = ["tests.logs", …]`` in ``tests/conftest.py``. A command that is
run in this process configures structlog for good, and its loggers keep the stream of that test.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
import structlog

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["fresh_logging"]


@pytest.fixture(autouse=True, scope="session")
def _loggers_are_never_kept() -> Iterator[None]:
    """Bind loggers anew at each use: a kept one cannot be taken back."""
    configure = structlog.configure

    def configure_without_keeping(**settings: Any) -> None:  # noqa: ANN401 - structlog's own
        configure(**settings | {"cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", configure_without_keeping)
        yield


@pytest.fixture(autouse=True, scope="session")
def _tracebacks_are_plain() -> Iterator[None]:
    """As the service writes them, and not as structlog does where nobody has configured it.

    With the value of every variable drawn in a frame, one takes a second and on a busy machine
    many: meanwhile the loop stands still, and what has a limit of time in it fails.
    """
    renderer = structlog.dev.ConsoleRenderer.get_active()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(renderer, "exception_formatter", structlog.dev.plain_traceback)
        yield


@pytest.fixture(autouse=True)
def fresh_logging(_loggers_are_never_kept: None) -> Iterator[None]:
    """Give the test structlog as it comes, and the root logger as it was."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
    root.setLevel(level)
    for handler in [*root.handlers]:
        # Exactly this type is what basicConfig adds; pytest's own are subclasses of it.
        if type(handler) is logging.StreamHandler and handler not in handlers:
            root.removeHandler(handler)
