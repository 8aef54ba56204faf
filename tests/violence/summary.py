"""One line of numbers for each scenario, at the end of pytest's report.

A pytest plugin: ``pytest_plugins = ["tests.violence.summary", …]`` in ``tests/conftest.py``: with
several workers the process that prints never loads a deeper ``conftest.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

__all__ = ["PROPERTY", "pytest_terminal_summary"]

PROPERTY = "violence"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the scenarios counted."""
    lines = [
        str(text)
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "teardown" or getattr(report, "skipped", False)
        for name, text in getattr(report, "user_properties", ())
        if name == PROPERTY
    ]
    if lines:
        terminalreporter.section("proof by violence")
        for line in sorted(lines):
            terminalreporter.write_line(line)
