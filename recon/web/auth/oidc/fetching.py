"""Ask the provider: bounded in time and size, no redirects, no cookies, no proxy, JSON alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec

from recon import __version__
from recon.web.auth.oidc.errors import ProviderUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "ask"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=10, connect=5)
_MOST_BYTES: Final = 1 << 18
"""Discovery documents and key sets are a few kilobytes; a quarter of a megabyte is neither."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a JSON object."""

    status: int
    document: dict[str, Any]


async def ask(
    url: str,
    *,
    form: Mapping[str, str] | None = None,
    authorization: str | None = None,
) -> Answer:
    """One GET, or a POST of a form.

    Args:
        url: of the provider.
        form: what is posted; ``None``: a GET.
        authorization: the header, where one is sent.

    Raises:
        ProviderUnusable: no whole answer in time, one that is too large, or no JSON object.
    """
    headers = {
        "Accept": "application/json",
        "Accept-Encoding": "identity",
        "User-Agent": f"recon/{__version__}",
    }
    if authorization is not None:
        headers["Authorization"] = authorization
    try:
        async with (
            aiohttp.ClientSession(
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                connector=aiohttp.TCPConnector(force_close=True),
                auto_decompress=False,
            ) as session,
            session.request(
                "GET" if form is None else "POST",
                url,
                data=form,
                headers=headers,
                allow_redirects=False,
            ) as response,
        ):
            return Answer(response.status, _object(await _read(response)))
    # No cause is kept: aiohttp's errors carry the request's headers.
    except TimeoutError:
        raise ProviderUnusable(f"no whole answer within {_TIMEOUT.total:g} s") from None
    except (aiohttp.ClientError, OSError) as error:
        raise ProviderUnusable(f"not reached: {type(error).__name__}") from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise ProviderUnusable("an answer is encoded in a way that was not asked for")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MOST_BYTES:
            response.close()
            raise ProviderUnusable(f"an answer is larger than {_MOST_BYTES} bytes")
    return bytes(body)


def _object(body: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(body, type=dict[str, Any])
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        raise ProviderUnusable("an answer is no JSON object") from None
