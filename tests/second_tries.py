"""Who may try twice, and what the report says of it: docs/testing.md has the reasons."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from _pytest.terminal import TerminalReporter

_IN_CI = bool(os.environ.get("CI"))
# Rooms where money lost or doubled is looked for by chance: what fails once is a finding.
_PROOFS = {"simulation", "violence"}
# So many tests of a run may need their second try; what spoils more is no busy machine.
_MOST = 3


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark who may: what drives a browser, and in CI all but the proofs."""
    for item in items:
        if item.get_closest_marker("browser") or (_IN_CI and not _is_proof(item)):
            item.add_marker(pytest.mark.flaky(reruns=1))


def _is_proof(item: pytest.Item) -> bool:
    return not _PROOFS.isdisjoint(item.path.relative_to(item.config.rootpath).parts)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Too many fail the run, each of which passed in the end."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None and len(_first_failures(reporter)) > _MOST:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Say why each failed the first time: whoever reads it finds the fault by that."""
    for report in _first_failures(terminalreporter):
        terminalreporter.write_sep("=", f"passed or failed on its second try: {report.nodeid}")
        terminalreporter.write_line(report.longreprtext)


def _first_failures(reporter: TerminalReporter) -> list[pytest.TestReport]:
    failed: list[pytest.TestReport] = reporter.stats.get("rerun", [])
    return failed
