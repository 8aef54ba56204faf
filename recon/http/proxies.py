"""Who calls, where proxies stand between: their word is taken hop by hop, from the right.

Each proxy adds the address that it was called from at the right end of a header. What stands there
is true as long as the one who wrote it is trusted; the first that is not is the caller, and what is
left of it is the caller's own words. What does not parse ends the walk at the last trusted proxy.
The host is never taken from a header of a proxy: let it pass ``Host`` on, or set the service's
public URL.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from aiohttp import web

from recon.http.forwarded import hops_of_forwarded, hops_of_x_forwarded, without_mapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Network

    from recon.http.forwarded import Address, Hop

    _Network: TypeAlias = IPv4Network | IPv6Network

__all__ = [
    "LOOPBACK",
    "PROXIES",
    "Caller",
    "ProxyHeader",
    "TrustedProxies",
    "caller_of",
    "network_of",
    "origin_of",
]

ProxyHeader: TypeAlias = Literal["x-forwarded", "forwarded"]

LOOPBACK: Final = ("127.0.0.0/8", "::1/128")
"""This machine: whoever may call from here could also read what the service reads."""

_UNKNOWN: Final = "unknown"
_OF_ONE_CALLER: Final = 64
"""Bits of an IPv6 address that a provider gives to one customer, who has all those below them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from.

    Attributes:
        address: of the first that is no trusted proxy; ``unknown`` where there is none.
        is_https: whether that one spoke TLS to the first trusted proxy, or to us.
    """

    address: str
    is_https: bool

    @property
    def counted_as(self) -> str:
        """By what tries are counted."""
        return network_of(self.address)


class TrustedProxies:
    """Whose word about callers is taken, and in which header.

    Args:
        networks: CIDRs of the proxies.
        header: what they write: ``X-Forwarded-For`` and ``X-Forwarded-Proto``, or ``Forwarded``.
            Only one is read: a proxy that writes one lets the other through as a caller made it up.
    """

    def __init__(
        self, networks: Iterable[str] = LOOPBACK, *, header: ProxyHeader = "x-forwarded"
    ) -> None:
        self._networks: list[_Network] = [ip_network(network) for network in networks]
        self._header = header

    def caller(self, request: web.Request) -> Caller:
        """Who calls, by the connection and the words of trusted proxies."""
        here = _parse(request.remote or "")
        if here is None:
            return Caller(request.remote or _UNKNOWN, request.secure)
        is_https = request.secure
        for before, said_https in self._hops(request):
            if not self._trusts(here):
                break
            is_https = is_https if said_https is None else said_https
            if before is None:
                break
            here = before
        return Caller(str(here), is_https)

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._networks)

    def _hops(self, request: web.Request) -> Iterator[Hop]:
        said = request.headers
        if self._header == "forwarded":
            return hops_of_forwarded(said.getall("Forwarded", ()))
        return hops_of_x_forwarded(
            said.getall("X-Forwarded-For", ()), said.getall("X-Forwarded-Proto", ())
        )


PROXIES: web.AppKey[TrustedProxies] = web.AppKey("proxies", TrustedProxies)
_CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
_DEFAULT: Final = TrustedProxies()


def caller_of(request: web.Request) -> Caller:
    """Who calls, behind the proxies that are trusted."""
    known = request.get(_CALLER)
    if known is None:
        known = request.config_dict.get(PROXIES, _DEFAULT).caller(request)
        request[_CALLER] = known
    return known


def network_of(address: str) -> str:
    """By what tries from an address are counted: who has one of IPv6 has 2^64 of them."""
    parsed = _parse(address)
    if isinstance(parsed, IPv6Address):
        return str(IPv6Network((parsed.packed, _OF_ONE_CALLER), strict=False))
    return address


def origin_of(request: web.Request) -> str:
    """Where the caller reaches us: scheme and host, without a slash."""
    url = request.url.origin()
    return str(url.with_scheme("https") if caller_of(request).is_https else url)


@lru_cache(maxsize=1024)  # a connection's address is looked at for each of its calls
def _parse(text: str) -> Address | None:
    try:
        return without_mapping(ip_address(text))
    except ValueError:
        return None
