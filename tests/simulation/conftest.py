"""Databases for simulations on the session's server; what the rooms log is not read here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from recon.simulation import Databases

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon.db.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def databases(server: EmbeddedPostgres) -> Iterator[Databases]:
    """One migrated database that every run is played on."""
    with Databases(server) as made:
        made.prepare()
        yield made


@pytest.fixture(autouse=True)
def _quiet(fresh_logging: None) -> None:  # noqa: ARG001 - configured after it, undone by it
    critical = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=critical)
