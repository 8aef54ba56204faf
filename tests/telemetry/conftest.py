"""Spans, kept in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from recon.telemetry import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What was done while the test ran."""
    kept = InMemorySpanExporter()
    with telemetry(SimpleSpanProcessor(kept)):
        yield kept
