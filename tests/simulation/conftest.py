"""Databases for simulations on the session's server; what the rooms log is not read here."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
import structlog

from recon.simulation import Databases

if TYPE_CHECKING:
    from recon.db.embedded import EmbeddedPostgres


@pytest.fixture(scope="session")
def databases(server: EmbeddedPostgres) -> Databases:
    """One migrated database that every run is cloned from."""
    made = Databases(server)
    made.prepare()
    return made


@pytest.fixture(autouse=True)
def _quiet(fresh_logging: None) -> None:  # noqa: ARG001 - configured after it, undone by it
    critical = structlog.make_filtering_bound_logger(logging.CRITICAL)
    structlog.configure(wrapper_class=critical)
