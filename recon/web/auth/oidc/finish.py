"""Let in whoever comes back from the provider."""

from __future__ import annotations

import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import structlog

from recon.db import load
from recon.web.auth.oidc.admit import admit
from recon.web.auth.oidc.begin import AT_THE_PROVIDER
from recon.web.auth.oidc.derived import Derived
from recon.web.auth.oidc.errors import ProviderUnusable, SignInRefused
from recon.web.auth.oidc.exchange import exchange, read_userinfo
from recon.web.auth.oidc.person import lacks, person_of
from recon.web.auth.oidc.verify import verify
from recon.web.auth.tokens import digest_of

if TYPE_CHECKING:
    from multidict import MultiMapping

    from recon.db import Pool
    from recon.web.auth.oidc.person import Person
    from recon.web.auth.oidc.provider import Provider
    from recon.web.auth.refusals import Refusals

__all__ = ["Arrived", "Callback", "finish"]

log = structlog.get_logger(__name__)

_LONGEST: Final = 4096
# Source: RFC 6749, section 4.1.2.1: the errors that are registered are of such characters.
_ERROR: Final = re.compile(r"[a-z_]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Callback:
    """What the browser brings back from the provider, and what it has kept since `begin`.

    ``None`` is what is not there just once.
    """

    token: str | None = field(repr=False)
    state: str | None = field(repr=False)
    code: str | None = field(repr=False)
    error: str | None
    iss: str | None

    @classmethod
    def of(cls, query: MultiMapping[str], token: str | None) -> Callback:
        """Read the query of our callback's address; ``token`` is what the browser has kept."""

        def once(name: str) -> str | None:
            said = query.getall(name, [])
            return said[0] if len(said) == 1 and len(said[0]) <= _LONGEST else None

        # Whatever it is, it is an error: never a success because it was said twice.
        error = once("error") if "error" in query else None
        return cls(
            token,
            once("state"),
            once("code"),
            error or ("malformed" if "error" in query else None),
            once("iss") or ("" if "iss" in query else None),
        )


@dataclass(frozen=True, slots=True)
class Arrived:
    """The session's token, and the path that was wanted."""

    token: str = field(repr=False)
    wanted: str


async def finish(
    pool: Pool, provider: Provider, refusals: Refusals, callback: Callback, *, address: str
) -> Arrived:
    """Find out who it is and open their session; audited either way, once it is this browser's.

    Args:
        pool: the database.
        provider: who was asked.
        refusals: what is written down of those who do not get in.
        callback: what came back.
        address: from where, for the audit.

    Raises:
        SignInRefused: nobody is let in; the message says what to do.
        ProviderUnusable: it cannot be told now.
        TooManyRequests: nobody is let in, and that from this address too often.
    """
    token = callback.token
    if token is None or callback.state is None:
        raise _elsewhere()
    derived = Derived.of(token)
    brought = callback.state.encode(errors="surrogatepass")
    if not hmac.compare_digest(brought, derived.state.encode()):
        raise _elsewhere()
    async with pool.acquire() as connection:
        wanted: str | None = await connection.fetchval(
            load("recon.web", "take_oidc_start"), digest_of(token), AT_THE_PROVIDER
        )
    if wanted is None:
        raise SignInRefused(
            "This sign-in was used already or took too long. Sign in once more.", code="not_begun"
        )
    try:
        person = await _ask(provider, callback, derived)
        return Arrived(await admit(pool, person, address=address), wanted)
    except (SignInRefused, ProviderUnusable) as error:
        # Of a flood no more is logged than is written down.
        await refusals.record(pool, obj="oidc", address=address, reason=error.code)
        log.warning("oidc_sign_in_failed", code=error.code, detail=error.detail)
        raise


async def _ask(provider: Provider, callback: Callback, derived: Derived) -> Person:
    metadata, client = await provider.metadata(), provider.client
    _require_our_issuer(
        callback,
        client.issuer,
        always=metadata.authorization_response_iss_parameter_supported,
    )
    if callback.error is not None:
        known = callback.error if _ERROR.fullmatch(callback.error) else "malformed"
        raise SignInRefused(
            "The sign-in provider did not sign you in. Sign in once more, or ask whoever runs it.",
            code="denied_by_provider",
            detail=known,
        )
    if not callback.code:
        raise SignInRefused(
            "The sign-in provider's answer is incomplete. Sign in once more.", code="no_code"
        )
    tokens = await exchange(client, metadata, code=callback.code, verifier=derived.verifier)
    claims = await verify(
        provider, tokens.id_token, nonce=derived.nonce, access_token=tokens.access_token
    )
    if lacks(client, claims):
        said = await read_userinfo(metadata, tokens.access_token, subject=claims["sub"])
        # What is signed comes first.
        claims = {**said, **claims}
    return person_of(client, claims)


def _require_our_issuer(callback: Callback, issuer: str, *, always: bool) -> None:
    """Take no other provider's answer for ours (RFC 9207, section 2.4)."""
    if callback.iss != issuer and (always or callback.iss is not None):
        raise SignInRefused(
            "This answer is of another sign-in provider. Sign in once more.", code="mixed_up"
        )


def _elsewhere() -> SignInRefused:
    return SignInRefused(
        "This sign-in was not begun in this browser, or a later one has taken its place. Sign in"
        " once more.",
        code="begun_elsewhere",
    )
