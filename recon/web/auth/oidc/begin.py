"""Send a browser to the provider."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from yarl import URL

from recon.db import load
from recon.http.proxies import network_of
from recon.web.auth.oidc.derived import Derived
from recon.web.auth.tokens import digest_of, new_token

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.http.flood import FloodGate
    from recon.web.auth.oidc.provider import Provider

__all__ = ["AT_THE_PROVIDER", "Begun", "begin"]

AT_THE_PROVIDER: Final = timedelta(minutes=10)
"""For how long somebody may be at the provider."""
_DOOR: Final = "oidc"


@dataclass(frozen=True, slots=True)
class Begun:
    """Where the browser goes, and what it keeps until it is back."""

    url: str
    token: str = field(repr=False)


async def begin(
    pool: Pool, provider: Provider, gate: FloodGate, *, wanted: str, address: str
) -> Begun:
    """Begin a sign-in.

    Args:
        pool: the database.
        provider: who is to say who it is.
        gate: how many one address may begin; each is written down until it is too old.
        wanted: the path on this host that it leads on to.
        address: from where.

    Raises:
        ProviderUnusable: it is not known where to send anybody.
        TooManyRequests: there were too many from there; nothing is written.
    """
    gate.count(network_of(address), _DOOR)
    metadata, client = await provider.metadata(), provider.client
    token = new_token()
    derived = Derived.of(token)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(load("recon.web", "forget_oidc_starts"), AT_THE_PROVIDER)
        await connection.execute(load("recon.web", "insert_oidc_start"), digest_of(token), wanted)
    url = URL(metadata.authorization_endpoint).update_query(
        response_type="code",
        client_id=client.client_id,
        redirect_uri=client.redirect_uri,
        scope=" ".join(client.scopes),
        state=derived.state,
        nonce=derived.nonce,
        code_challenge=derived.challenge,
        code_challenge_method="S256",
    )
    return Begun(str(url), token)
