"""What a format says: where each of our fields stands, and what its words mean; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.settlements.errors import FormatError
from recon.settlements.model import FAMILIES, SIGNS, Format

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from recon.settlements.model import LineKind

__all__ = ["FIELDS", "Header", "Layout", "Word"]

FIELDS: Final = (
    *("word", "line_id", "payment_id", "effect_id", "reference", "user_id", "batch", "account"),
    *("currency", "credit", "debit", "net_currency", "net_credit", "net_debit"),
    *("fee", "fee_2", "fee_3", "fee_4", "settled_at", "zone", "note"),
)
"""Our fields of a line, each of them text until it is read."""


_OF_DEPOSITS: Final = {*FAMILIES} - {"withdrawal"}


@dataclass(frozen=True, slots=True)
class Word:
    """What a PSP's type means.

    Args:
        text: the type, in lower case.
        kind: what it is about.
        sign: of the gross amount: 1 where a credit to us is that kind's own direction.
    """

    text: str
    kind: LineKind
    sign: int

    @classmethod
    def table(cls, words: Mapping[LineKind, Sequence[str]]) -> tuple[Word, ...]:
        """All words of a format, each with the direction of its kind."""
        return tuple(
            cls(text.lower(), kind, SIGNS[kind]) for kind, texts in words.items() for text in texts
        )


class Header:
    """The names of a file's columns, found again however they are spaced or written."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = [name.strip() for name in names]
        self._places: dict[str, int] = {}
        self._twice: set[str] = set()
        for place, name in enumerate(self.names):
            if self._places.setdefault(_plain(name), place) != place:
                self._twice.add(_plain(name))

    def has(self, *names: str) -> bool:
        """Whether all of these columns are there."""
        return all(_plain(name) in self._places for name in names)

    def lacks(self, *names: str) -> list[str]:
        """Those that are not."""
        return [name for name in names if not self.has(name)]

    def column(self, *names: str) -> str:
        """SQL of the first of these columns that is there; an empty one is ``NULL``.

        What stood around a field was taken away when the record was read.

        Raises:
            FormatError: there are two of it.
        """
        name = self.first_of(*names)
        if name is not None and _plain(name) in self._twice:
            raise FormatError(f"it has two columns {name}; which of them counts is not ours to say")
        return "NULL" if name is None else f"c{self._places[_plain(name)]}"

    def first_of(self, *names: str) -> str | None:
        """The first of these columns that is there."""
        return next((name for name in names if _plain(name) in self._places), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """One file's columns in our words.

    Args:
        format: whose columns they are.
        width: how many there are.
        fields: SQL over ``c0``, ``c1``, … for each of `FIELDS`; those left out are ``NULL``.
        words: what its types mean.
        signed: amounts have their kind's direction, whatever their sign (a plain file).
        is_whole: what befalls deposits is in the same file as they are, so that a file of the one
            tells of the other; of a plain file's lines only those kinds are sure that are there.
        payouts_close: every batch ends with its payout in the same file, or is not balanced.
    """

    format: Format
    width: int
    fields: Mapping[str, str]
    words: tuple[Word, ...]
    signed: bool = False
    is_whole: bool = True
    payouts_close: bool = False

    def field_sql(self, name: str) -> str:
        """SQL of one field."""
        return self.fields.get(name, "NULL")

    def tells(self, kinds: Collection[str]) -> list[str]:
        """Of which `FAMILIES` a file tells that has lines of these kinds."""
        told = {name for name, family in FAMILIES.items() if not {*kinds}.isdisjoint(family)}
        if self.is_whole and told & _OF_DEPOSITS:
            told |= _OF_DEPOSITS
        return sorted(told)


def _plain(name: str) -> str:
    """A name without its case, spaces, underscores and brackets: reports of any age agree on it."""
    return re.sub(r"[^a-z0-9]", "", name.casefold())
