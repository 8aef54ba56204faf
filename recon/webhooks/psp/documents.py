"""Read JSON that a stranger signed: nothing is guessed, everything hostile has a name.

The border between "not JSON" (415) and "unusable" (kept, quarantined): what no parser could read as
JSON is not JSON; JSON that two parsers could read in two ways (a key twice, NaN, bytes that are not
UTF-8, a number of thousands of digits or beyond any exponent, nesting past the parser's depth) is
unusable.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from recon.webhooks.errors import NotJsonError

__all__ = ["Document", "UnusableError", "read_document"]

_MAX_DIGITS: Final = 64


class UnusableError(Exception):
    """Authentic, and nothing can be made of it; the message says why, without any of its data."""


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value, and what is wrong with it as a whole (``None``: nothing)."""

    value: Any
    fault: str | None

    def sound(self) -> Any:  # noqa: ANN401 - JSON
        """The value, where it can be read in one way only.

        Raises:
            UnusableError: it cannot.
        """
        if self.fault is not None:
            raise UnusableError(self.fault)
        return self.value


@dataclass(slots=True)
class _Faults:
    found: list[str] = field(default_factory=list)

    def pairs(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            self.found.append("an object has a key twice")
        return made

    def constant(self, name: str) -> None:
        self.found.append(f"{name} is not a JSON number")

    def integer(self, text: str) -> int | None:
        if len(text) > _MAX_DIGITS:
            self.found.append("a number is too long")
            return None
        return int(text)

    def fraction(self, text: str) -> Decimal | None:
        if len(text) > _MAX_DIGITS:
            self.found.append("a number is too long")
            return None
        try:
            return Decimal(text)
        except InvalidOperation:
            self.found.append("a number is out of every range")
            return None


class _AmbiguousError(Exception):
    """There is something about this document that `_Faults` has a name for."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _AmbiguousError
    return made


def _constant(name: str) -> None:
    raise _AmbiguousError(name)


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise _AmbiguousError
    return int(text)


def _fraction(text: str) -> Decimal:
    if len(text) > _MAX_DIGITS:
        raise _AmbiguousError
    return Decimal(text)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_fraction
)
"""For what is sound, as nearly all is; to make a decoder takes longer than to use it."""


def read_document(body: bytes) -> Document:
    """Read a body; a fault that makes it ambiguous is told, not raised.

    Raises:
        NotJsonError: no parser could read it.
    """
    try:
        return Document(_DECODER.decode(body.decode()), None)
    except (_AmbiguousError, InvalidOperation, RecursionError, ValueError):
        return _read_faulty(body)


def _read_faulty(body: bytes) -> Document:
    faults = _Faults()
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode(errors="replace")
        faults.found.append("the bytes are not UTF-8")
    try:
        value = json.loads(
            text,
            object_pairs_hook=faults.pairs,
            parse_constant=faults.constant,
            parse_int=faults.integer,
            parse_float=faults.fraction,
        )
    except RecursionError:
        return Document(None, "nested too deeply")
    except ValueError:
        raise NotJsonError("the body is not JSON") from None
    return Document(value, faults.found[0] if faults.found else None)
