"""Answer a request with an export, streamed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web

from recon.clock import now
from recon.db import POOL
from recon.errors import Invalid
from recon.http import send_file
from recon.http.proxies import origin_of
from recon.reconciliation.export import ExportFormat, csv_chunks, json_chunks
from recon.reconciliation.xlsx import xlsx_chunks

if TYPE_CHECKING:
    from recon.reconciliation.read import DiscrepancyFilter

__all__ = ["PUBLIC_URL", "send_export"]

PUBLIC_URL: web.AppKey[str] = web.AppKey("public_url", str)
"""Where people reach the pages; without it, links lead to where the request came in."""


async def send_export(
    request: web.Request, wanted: DiscrepancyFilter, *, asked_by: str, sort: str = "age"
) -> web.StreamResponse:
    """Answer with an export, in the format that a request's query asks for.

    Args:
        request: what it answers.
        wanted: which discrepancies.
        asked_by: whom it is made for.
        sort: the order, one of `export_rows`.

    Raises:
        Invalid: ``invalid_format``.
        Unprocessable: ``too_many_rows`` for a sheet.
    """
    kind = _format_of(request)
    pool = request.config_dict[POOL]
    base_url = request.config_dict.get(PUBLIC_URL) or origin_of(request)
    match kind:
        case ExportFormat.CSV:
            chunks = csv_chunks(pool, wanted, base_url=base_url, sort=sort)
        case ExportFormat.JSON:
            chunks = json_chunks(pool, wanted, base_url=base_url, sort=sort)
        case ExportFormat.XLSX:
            chunks = xlsx_chunks(pool, wanted, base_url=base_url, asked_by=asked_by, sort=sort)
    return await send_file(
        request,
        chunks,
        name=f"discrepancies-{now():%Y%m%dT%H%M%SZ}.{kind}",
        content_type=kind.content_type,
    )


def _format_of(request: web.Request) -> ExportFormat:
    text = request.query.get("format", ExportFormat.CSV)
    try:
        return ExportFormat(text)
    except ValueError:
        known = ", ".join(ExportFormat)
        raise Invalid(f"{text[:64]!r} is none of {known}", code="invalid_format") from None
