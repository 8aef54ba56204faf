"""OpenTelemetry, the extra ``otel``: spans go wherever its own variables (``OTEL_…``) say.

This module is imported only where ``RECON_TRACING`` is on. Errors are told by their class alone: a
message could name a player.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib.metadata import version
from threading import Thread
from time import time_ns
from typing import TYPE_CHECKING, Final, cast

from opentelemetry import trace
from opentelemetry.context import Context, attach
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from recon import tracing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from uuid import UUID

    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.trace import Span

    from recon.tracing import Attributes, Kind, Origin, Work

__all__ = ["otlp", "telemetry"]

_KINDS: Final = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
}
_FLUSHED_WITHIN_S: Final = 3.0

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_wanted: ContextVar[int | None] = ContextVar("recon_trace_wanted", default=None)
_parts: ContextVar[list[_Part] | None] = ContextVar("recon_trace_parts", default=None)


@dataclass(slots=True)
class _Part:
    """A span that has ended, for its like in the traces of those for whom it was done."""

    name: str
    context: SpanContext
    began_ns: int
    attributes: Attributes
    failed: str | None = None
    ended_ns: int = 0
    parts: list[_Part] = field(default_factory=list)


class _Ids(RandomIdGenerator):
    """Random, but for traces that have a name of their own, such as a run's."""

    def generate_trace_id(self) -> int:
        """The one that is wanted, else a random one."""
        wanted = _wanted.get()
        return super().generate_trace_id() if wanted is None else wanted


class _UnderWay:
    def __init__(self, span: Span, part: _Part) -> None:
        self._span = span
        self._part = part

    def note(self, attributes: Attributes) -> None:
        self._span.set_attributes(attributes)

    def fail(self, why: str) -> None:
        self._part.failed = why
        _mark_failed(self._span, why)


class _Telemetry:
    """`recon.tracing.Tracer` over OpenTelemetry."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer("recon", version("recon"))

    @contextmanager
    def span(
        self,
        name: str,
        *,
        kind: Kind,
        attributes: Attributes,
        parent: Mapping[str, str] | None,
        trace_of: UUID | None,
    ) -> Iterator[Work]:
        context = None
        if parent is not None:
            context = _PROPAGATOR.extract(parent, context=Context())
        elif trace_of is not None:
            context = Context()
        wanted = _wanted.set(None if trace_of is None else trace_of.int)
        try:
            with self._kept(name, kind, attributes, context) as (work, _):
                yield work
        finally:
            _wanted.reset(wanted)

    @contextmanager
    def shared(
        self, name: str, origins: Sequence[Origin | None], attributes: Attributes
    ) -> Iterator[Work]:
        asked = [cast("SpanContext", one) for one in origins if one is not None]
        if len(origins) == 1:
            with self._kept(name, "internal", attributes, _below(asked)) as (work, _):
                yield work
            return
        part = None
        try:
            links = [Link(one) for one in asked]
            with self._kept(name, "internal", attributes, Context(), links) as (work, part):
                yield work
        finally:
            if part is not None:
                for one in asked:
                    self._show(part, _below([one]))

    @contextmanager
    def _kept(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        context: Context | None,
        links: Sequence[Link] = (),
    ) -> Iterator[tuple[Work, _Part]]:
        around = _parts.get()
        with self._tracer.start_as_current_span(
            name,
            context=context,
            kind=_KINDS[kind],
            attributes=attributes,
            links=links,
            record_exception=False,
            set_status_on_exception=False,
        ) as made:
            part = _Part(name, made.get_span_context(), time_ns(), attributes)
            token = _parts.set(part.parts)
            work = _UnderWay(made, part)
            try:
                yield work, part
            except BaseException as error:
                work.fail(type(error).__name__)
                raise
            finally:
                part.ended_ns = time_ns()
                _parts.reset(token)
                if around is not None:
                    around.append(part)

    def _show(self, part: _Part, context: Context) -> None:
        """A span's like in another trace, with a link to it; and likewise its parts."""
        made = self._tracer.start_span(
            part.name,
            context=context,
            attributes=part.attributes,
            links=[Link(part.context)],
            start_time=part.began_ns,
        )
        if part.failed is not None:
            _mark_failed(made, part.failed)
        for one in part.parts:
            self._show(one, trace.set_span_in_context(made, context))
        made.end(part.ended_ns)

    def origin(self) -> Origin | None:
        context = trace.get_current_span().get_span_context()
        return context if context.is_valid else None

    def leave(self) -> None:
        attach(Context())
        _parts.set(None)

    def carry(self, headers: dict[str, str]) -> None:
        _PROPAGATOR.inject(headers)

    def current_trace_id(self) -> str | None:
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else None


def _mark_failed(span: Span, why: str) -> None:
    span.set_status(Status(StatusCode.ERROR, why))
    # By this the semantic conventions tell one error from another.
    span.set_attribute("error.type", why)


def _below(origins: Sequence[SpanContext]) -> Context:
    """The context of what is done for the first of them; of a trace of its own without one."""
    context = Context()
    for one in origins[:1]:
        context = trace.set_span_in_context(NonRecordingSpan(one), context)
    return context


@contextmanager
def telemetry(processor: SpanProcessor) -> Iterator[None]:
    """Keep the spans of this process, for as long as this lasts.

    Args:
        processor: takes each span that has ended.
    """
    named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "recon"}
    resource = Resource.create(named | {"service.version": version("recon")})
    # Sampling is for OpenTelemetry's own variables: OTEL_TRACES_SAMPLER and its like.
    provider = TracerProvider(resource=resource, id_generator=_Ids(), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracing.install(_Telemetry(provider))
    try:
        yield
    finally:
        tracing.install(None)
        # A collector that does not answer must not keep the process from its end.
        ending = Thread(target=provider.shutdown, daemon=True)
        ending.start()
        ending.join(_FLUSHED_WITHIN_S)


def otlp() -> SpanProcessor:
    """Spans in batches to the collector that ``OTEL_EXPORTER_OTLP_ENDPOINT`` names."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - heavy, and not of every tracer
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    return BatchSpanProcessor(OTLPSpanExporter())
