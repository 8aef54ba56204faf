"""What proxies say of who called them, the nearest first: strictly read, and from the right.

Each proxy adds at the right end. The text is cut there, too: whatever somebody wrote on the left,
an open quote or half an element, changes nothing of what stands to the right of it. What does not
parse is nobody's word.

Source: RFC 7239, section 4 and 6, with the grammar of RFC 9110, section 5.6; ``X-Forwarded-For``
and ``-Proto`` have no specification and the same order.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Address", "Hop", "hops_of_forwarded", "hops_of_x_forwarded", "without_mapping"]

Address: TypeAlias = IPv4Address | IPv6Address

_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - the grammar's name
_QUOTED: Final = r'"(?:[\t !#-\[\]-~\x80-\U0010ffff]|\\[\t -~\x80-\U0010ffff])*"'
_PAIR: Final = re.compile(rf"({_TOKEN})=({_TOKEN}|{_QUOTED})")
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_BLANK: Final = " \t"

_NODE: Final = re.compile(
    r"(?:(?P<four>[0-9.]{7,15})|\[(?P<six>[0-9A-Fa-f:.]{2,45})\])(?::(?:[0-9]{1,5}|_[0-9A-Za-z._-]+))?"
)
"""An address with or without a port. ``unknown`` and made-up names are no address."""

_BARE: Final = re.compile(r"(?P<six>[0-9A-Fa-f.]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*)")
"""IPv6 without brackets, which RFC 7239 does not know and ``X-Forwarded-For`` mostly has."""


class Hop(NamedTuple):
    """What one proxy says; ``None`` of what it does not say, or not so that it can be read."""

    address: Address | None
    said_https: bool | None


def hops_of_forwarded(lines: Sequence[str]) -> Iterator[Hop]:
    """The elements of all ``Forwarded`` headers of a request, the last first."""
    for element in _elements(",".join(lines)):
        pairs = _pairs(element) or {}
        scheme = pairs.get("proto")
        yield Hop(
            _address(_NODE.fullmatch(pairs.get("for", ""))),
            None if scheme is None else scheme.lower() == "https",
        )


def hops_of_x_forwarded(addresses: Sequence[str], schemes: Sequence[str]) -> Iterator[Hop]:
    """The members of all ``X-Forwarded-For`` and ``X-Forwarded-Proto`` headers, the last first."""
    callers, said = _members(addresses), _members(schemes)
    for at in range(max(len(callers), len(said))):
        text = callers[at] if at < len(callers) else ""
        yield Hop(
            _address(_NODE.fullmatch(text) or _BARE.fullmatch(text)),
            # Most proxies write the scheme anew, so that one stands for all hops.
            said[min(at, len(said) - 1)].lower() == "https" if said else None,
        )


def without_mapping(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _members(lines: Sequence[str]) -> list[str]:
    text = ",".join(lines)
    return [part.strip(_BLANK) for part in reversed(text.split(","))] if text else []


def _elements(text: str) -> Iterator[str]:
    """What stands between commas that are not quoted, from right to left."""
    end, is_quoted = len(text), False
    for at in range(len(text) - 1, -1, -1):
        if text[at] == '"' and not _is_escaped(text, at):
            is_quoted = not is_quoted
        elif text[at] == "," and not is_quoted:
            yield text[at + 1 : end].strip(_BLANK)
            end = at
    yield text[:end].strip(_BLANK)


def _is_escaped(text: str, at: int) -> bool:
    first = at
    while first > 0 and text[first - 1] == "\\":
        first -= 1
    return (at - first) % 2 == 1


def _pairs(element: str) -> dict[str, str] | None:
    """An element's parameters by lower-case name; ``None`` where it is none, or says one twice."""
    found: dict[str, str] = {}
    at = 0
    while True:
        pair = _PAIR.match(element, at)
        if pair is not None:
            name, value = pair[1].lower(), pair[2]
            if name in found:
                return None
            found[name] = _ESCAPED.sub(r"\1", value[1:-1]) if value[0] == '"' else value
            at = pair.end()
        if at == len(element):
            return found
        if element[at] != ";":
            return None
        at += 1


def _address(found: re.Match[str] | None) -> Address | None:
    if found is None:
        return None
    said = found.groupdict()
    try:
        four = said.get("four")
        return without_mapping(IPv6Address(said["six"]) if four is None else IPv4Address(four))
    except ValueError:
        return None
