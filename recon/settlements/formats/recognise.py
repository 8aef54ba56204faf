"""Tell whose columns a header has."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.settlements.errors import FormatError
from recon.settlements.formats import adyen, plain, stripe
from recon.settlements.formats.layout import Header

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recon.settlements.formats.layout import Layout

__all__ = ["delimiters", "recognise"]

_IN_VALUES: Final = "\" +-.:_'\\"
"""Of ids, amounts and times, or of how a field is quoted."""

_REPORTS = {
    "adyen": (adyen.REQUIRED, adyen.layout),
    "stripe": (stripe.REQUIRED, stripe.layout),
}


_DELIMITERS: Final = (",", ";", "\t", "|")


def delimiters(wanted: str | None) -> Sequence[str]:
    """What may stand between the columns: the one that was named, or those that are tried.

    Raises:
        Invalid: ``invalid_delimiter``.
    """
    if wanted is None:
        return _DELIMITERS
    printable = wanted.isascii() and wanted.isprintable() and not wanted.isalnum()
    if wanted not in _DELIMITERS and (len(wanted) != 1 or not printable or wanted in _IN_VALUES):
        raise Invalid(
            f"{wanted[:8]!r} is nothing that a column ends with; name one such as , ; | or a tab",
            code="invalid_delimiter",
        )
    return (wanted,)


def recognise(
    rows: Mapping[str, Sequence[Sequence[str]]], provider: str, columns: Mapping[str, str]
) -> tuple[str, int, Layout]:
    """What stands between columns, the place of the header among the first rows, what it says.

    A provider's own report is looked for first, and a plain file where there is none; naming
    columns says that it is a plain file.

    Args:
        rows: the first of the file, by what they are cut at; some reports put titles above their
            header.
        provider: of the endpoint.
        columns: our names to the file's, of a plain file.

    Raises:
        FormatError: none of the rows is such a header, or it is another provider's.
        Invalid: ``unknown_column``.
    """
    headers = {cut: [Header(row) for row in found] for cut, found in rows.items()}
    for cut, some in headers.items():
        for place, header in enumerate(some):
            for owner, (required, layout) in _REPORTS.items():
                if columns or not header.has(*required):
                    continue
                if owner != provider:
                    raise FormatError(
                        f"this is a report of {owner}, and the endpoint is one of {provider}"
                    )
                return cut, place, layout(header)
            if not plain.lacking(header, columns):
                return cut, place, plain.layout(header, columns)
    raise FormatError(_missing([*chain(*headers.values())], provider, columns))


def _missing(headers: Sequence[Header], provider: str, columns: Mapping[str, str]) -> str:
    widest = max(headers, key=lambda header: len(header.names), default=Header([]))
    said = "no header of a settlement file is among its first lines"
    if provider in _REPORTS and not columns:
        required = _REPORTS[provider][0]
        lacks = widest.lacks(*required)
        if len(lacks) < len(required):
            said += f"; for {provider}'s report it lacks {', '.join(lacks)}"
    return f"{said}; for a plain file it lacks {', '.join(plain.lacking(widest, columns))}"
