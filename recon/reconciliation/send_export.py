"""Answer a request with an export: streamed, and never a half file that looks whole."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from recon.clock import now
from recon.db import POOL
from recon.errors import Invalid
from recon.reconciliation.export import ExportFormat, csv_chunks, json_chunks
from recon.reconciliation.handlers import filter_of
from recon.reconciliation.xlsx import xlsx_chunks

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

__all__ = ["PUBLIC_URL", "send_export"]

log = structlog.get_logger(__name__)

# What nginx logs for a client that has gone; nobody hears it.
_CLIENT_CLOSED_REQUEST = 499

PUBLIC_URL: web.AppKey[str] = web.AppKey("public_url", str)
"""Where people reach the pages; without it, links lead to where the request came in."""


async def send_export(request: web.Request, *, asked_by: str) -> web.StreamResponse:
    """Answer with the export that a request's query asks for; also what the pages do.

    Raises:
        Invalid: ``invalid_format`` or ``invalid_filter``.
        Unprocessable: ``too_many_rows`` for a sheet.
    """
    kind = _format_of(request)
    wanted = filter_of(request)
    pool = request.config_dict[POOL]
    base_url = request.config_dict.get(PUBLIC_URL) or str(request.url.origin())
    match kind:
        case ExportFormat.CSV:
            chunks = csv_chunks(pool, wanted, base_url=base_url)
        case ExportFormat.JSON:
            chunks = json_chunks(pool, wanted, base_url=base_url)
        case ExportFormat.XLSX:
            chunks = xlsx_chunks(pool, wanted, base_url=base_url, asked_by=asked_by)
    async with aclosing(chunks):
        return await _stream(request, kind, chunks)


def _format_of(request: web.Request) -> ExportFormat:
    text = request.query.get("format", ExportFormat.CSV)
    try:
        return ExportFormat(text)
    except ValueError:
        known = ", ".join(ExportFormat)
        raise Invalid(f"{text[:64]!r} is none of {known}", code="invalid_format") from None


async def _first(request: web.Request, chunks: AsyncGenerator[bytes, None]) -> bytes | None:
    """The first chunk that says something; ``None`` once nobody is there to read it."""
    async for chunk in chunks:
        if chunk:
            return chunk
        if request.transport is None or request.transport.is_closing():
            return None
    return b""


async def _stream(
    request: web.Request, kind: ExportFormat, chunks: AsyncGenerator[bytes, None]
) -> web.StreamResponse:
    """Send what comes, as it comes.

    What fails before the first chunk is an ordinary problem. After it the status is out, and only
    a broken connection can tell the reader that the file is not whole.
    """
    first = await _first(request, chunks)
    if first is None:
        log.info("export_reader_left", format=str(kind))
        return web.Response(status=_CLIENT_CLOSED_REQUEST)
    response = web.StreamResponse(
        headers={
            "Content-Type": kind.content_type,
            "Content-Disposition": (
                f'attachment; filename="discrepancies-{now():%Y%m%dT%H%M%SZ}.{kind}"'
            ),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
    )
    await response.prepare(request)
    try:
        await response.write(first)
        async for chunk in chunks:
            await response.write(chunk)
        await response.write_eof()
    except Exception as error:
        transport = request.transport
        if isinstance(error, ConnectionError) and (transport is None or transport.is_closing()):
            log.info("export_reader_left", format=str(kind))
        else:
            log.exception("export_broken_off", format=str(kind))
        if transport is not None:
            transport.abort()
    return response
