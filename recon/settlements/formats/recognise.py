"""Tell whose columns a header has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.settlements.errors import FormatError
from recon.settlements.formats import adyen, plain, stripe
from recon.settlements.formats.layout import Header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recon.settlements.formats.layout import Layout

__all__ = ["recognise"]

_REPORTS = {
    "adyen": (adyen.REQUIRED, adyen.layout),
    "stripe": (stripe.REQUIRED, stripe.layout),
}


def recognise(
    rows: Sequence[Sequence[str]], provider: str, columns: Mapping[str, str]
) -> tuple[int, Layout]:
    """The place of the header among a file's first rows, and what it says.

    A provider's own report is looked for first, and a plain file where there is none; naming
    columns says that it is a plain file.

    Args:
        rows: the first of the file; some reports put titles above their header.
        provider: of the endpoint.
        columns: our names to the file's, of a plain file.

    Raises:
        FormatError: none of the rows is such a header, or it is another provider's.
        Invalid: ``unknown_column``.
    """
    headers = [Header(row) for row in rows]
    for place, header in enumerate(headers):
        for owner, (required, layout) in _REPORTS.items():
            if columns or not header.has(*required):
                continue
            if owner != provider:
                raise FormatError(
                    f"this is a report of {owner}, and the endpoint is one of {provider}"
                )
            return place, layout(header)
        if not plain.lacking(header, columns):
            return place, plain.layout(header, columns)
    raise FormatError(_missing(headers, provider, columns))


def _missing(headers: Sequence[Header], provider: str, columns: Mapping[str, str]) -> str:
    widest = max(headers, key=lambda header: len(header.names), default=Header([]))
    said = "no header of a settlement file is among its first lines"
    if provider in _REPORTS and not columns:
        required = _REPORTS[provider][0]
        lacks = widest.lacks(*required)
        if len(lacks) < len(required):
            said += f"; for {provider}'s report it lacks {', '.join(lacks)}"
    return f"{said}; for a plain file it lacks {', '.join(plain.lacking(widest, columns))}"
