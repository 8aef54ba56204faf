"""Where somebody signs out at the provider, too.

Source: OpenID Connect RP-Initiated Logout 1.0, section 2.

No ID token is kept here for ``id_token_hint``: it names a person, and would be one more secret in
the database. The provider knows its own session by its cookie, and without a hint has to ask the
person whether they mean it. That suits them: they may be at work elsewhere by the same session.
They stay at the provider then, so that no address of ours has to be registered there for it.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from yarl import URL

from recon.web.auth.oidc.errors import ProviderUnusable

if TYPE_CHECKING:
    from recon.web.auth.oidc.provider import Provider

__all__ = ["leaves_by", "may_leave"]

_WITHIN_S: Final = 1.0


async def leaves_by(provider: Provider) -> str | None:
    """The address at the provider; ``None`` where it has none.

    Raises:
        ProviderUnusable: it is not known.
    """
    place = (await provider.metadata()).end_session_endpoint
    if place is None:
        return None
    return str(URL(place).update_query(client_id=provider.client.client_id))


async def may_leave(provider: Provider) -> bool:
    """Whether there is such an address, as far as can be told in a second.

    Somebody is waiting who was signed out here and only wants to see so.
    """
    try:
        async with asyncio.timeout(_WITHIN_S):
            return await leaves_by(provider) is not None
    except (ProviderUnusable, TimeoutError):
        return False
