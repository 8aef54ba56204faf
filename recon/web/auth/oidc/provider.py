"""The provider, as it says of itself: read when it is needed, kept for an hour.

Keys are read again when a token names one that is not known, at most every half a minute, so that
nobody makes us ask by making tokens up. A provider that failed is left alone for five seconds.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
import structlog
from yarl import URL

from recon.web.auth.oidc.errors import ProviderUnusable
from recon.web.auth.oidc.fetching import ask
from recon.web.auth.oidc.keys import ALGORITHMS, Keys
from recon.web.auth.oidc.model import Metadata

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.web.auth.oidc.model import Client

__all__ = ["Provider"]

log = structlog.get_logger(__name__)

_Read = TypeVar("_Read")

_KEPT_S: Final = 3600.0
_KEYS_AT_MOST_EVERY_S: Final = 30.0
_RESTS_S: Final = 5.0
_OK: Final = 200


class Provider:
    """One provider and what we are to it.

    Args:
        client: what we are to it.
        clock: seconds that only grow.
    """

    def __init__(self, client: Client, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.client = client
        self._clock = clock
        self._lock = asyncio.Lock()
        self._metadata: tuple[float, Metadata] | None = None
        self._keys: Keys | None = None
        self._failed: tuple[float, str] | None = None

    async def metadata(self) -> Metadata:
        """Its discovery document.

        Raises:
            ProviderUnusable: it cannot be had, or is not that of our issuer.
        """
        async with self._lock:
            kept = self._metadata
            if kept is None or self._clock() - kept[0] > _KEPT_S:
                kept = self._clock(), await self._resting(self._read_metadata)
                self._metadata = kept
            return kept[1]

    async def keys(self) -> Keys:
        """Its keys.

        Raises:
            ProviderUnusable: they cannot be had.
        """
        metadata = await self.metadata()
        async with self._lock:
            if self._keys is None or self._clock() - self._keys.read_at > _KEPT_S:
                self._keys = await self._read_keys(metadata)
            return self._keys

    async def keys_after(self, known: Keys) -> Keys | None:
        """Its keys, read after ``known`` were; ``None`` where it is too early to ask again.

        Raises:
            ProviderUnusable: they cannot be had.
        """
        metadata = await self.metadata()
        async with self._lock:
            if self._keys is not None and self._keys is not known:
                return self._keys
            if self._clock() - known.read_at < _KEYS_AT_MOST_EVERY_S:
                return None
            self._keys = await self._read_keys(metadata)
            return self._keys

    async def _read_keys(self, metadata: Metadata) -> Keys:
        async def read() -> Keys:
            answer = await ask(metadata.jwks_uri)
            if answer.status != _OK:
                raise ProviderUnusable(f"its keys: answered {answer.status}")
            return Keys.of(answer.document, read_at=self._clock())

        return await self._resting(read)

    async def _read_metadata(self) -> Metadata:
        # Source: OpenID Connect Discovery 1.0, section 4.1: appended to the issuer's path.
        answer = await ask(f"{self.client.issuer.rstrip('/')}/.well-known/openid-configuration")
        if answer.status != _OK:
            raise ProviderUnusable(f"its discovery document: answered {answer.status}")
        try:
            metadata = msgspec.convert(answer.document, Metadata)
        except msgspec.ValidationError as error:
            raise ProviderUnusable(f"its discovery document: {error}") from None
        if (fault := _fault(self.client, metadata)) is not None:
            raise ProviderUnusable(fault)
        return metadata

    async def _resting(self, read: Callable[[], Awaitable[_Read]]) -> _Read:
        """Read, unless it failed a moment ago: those in line need not each wait in full."""
        if self._failed is not None and self._clock() - self._failed[0] < _RESTS_S:
            raise ProviderUnusable(self._failed[1])
        try:
            value = await read()
        except ProviderUnusable as error:
            self._failed = self._clock(), error.detail
            log.warning("oidc_provider_unusable", detail=error.detail)
            raise
        self._failed = None
        return value


def _fault(client: Client, metadata: Metadata) -> str | None:
    """Why we cannot work with a provider that says this of itself."""
    if metadata.issuer != client.issuer:
        return "its discovery document is of another issuer"
    # Plain http only where the issuer itself is: on this machine, as the settings saw to.
    schemes = {"https", URL(client.issuer).scheme}
    places = {
        "authorization_endpoint": metadata.authorization_endpoint,
        "token_endpoint": metadata.token_endpoint,
        "jwks_uri": metadata.jwks_uri,
        "userinfo_endpoint": metadata.userinfo_endpoint,
        "end_session_endpoint": metadata.end_session_endpoint,
    }
    for name, place in places.items():
        if place is not None and not _is_usable(place, schemes, URL(client.issuer)):
            return f"its {name} is not https"
    methods = metadata.code_challenge_methods_supported
    if methods is not None and "S256" not in methods:
        return "it does not know PKCE with S256"
    if ALGORITHMS.keys().isdisjoint(metadata.id_token_signing_alg_values_supported):
        return "it signs ID tokens in no way that is taken here"
    return None


def _is_usable(place: str, schemes: set[str], issuer: URL) -> bool:
    try:
        url = URL(place)
    except ValueError:
        return False
    if url.scheme not in schemes or not url.host or url.user is not None or url.fragment:
        return False
    # In the clear to this machine alone, be the issuer's http what it may.
    return url.scheme == "https" or url.host == issuer.host
