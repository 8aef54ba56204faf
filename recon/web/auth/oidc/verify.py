"""Check an ID token in full.

Source: OpenID Connect Core 1.0, section 3.1.3.7 and 3.1.3.8; RFC 8725.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING, Any, Final

from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, ExpiredTokenError, JoseError

from recon.clock import now
from recon.web.auth.oidc.errors import SignInRefused
from recon.web.auth.oidc.keys import ALGORITHMS

if TYPE_CHECKING:
    from recon.web.auth.oidc.keys import Keys
    from recon.web.auth.oidc.model import Claims, Client, Metadata
    from recon.web.auth.oidc.provider import Provider

__all__ = ["verify"]

_SKEW_S: Final = 60
_LONGEST: Final = 1 << 16
_LONGEST_SUBJECT: Final = 255


class _Registry(jws.JWSRegistry):
    """A header may carry more than we know of, such as certificates; ``crit`` is still heeded."""

    max_header_length = 1 << 14
    max_payload_length = _LONGEST


_REGISTRY: Final = _Registry(strict_check_header=False, algorithms=list(ALGORITHMS))


async def verify(provider: Provider, id_token: str, *, nonce: str, access_token: str) -> Claims:
    """The claims of an ID token that is for us, of now, and the answer to our question.

    Args:
        provider: who must have signed it.
        id_token: as the token endpoint answered it.
        nonce: of our question.
        access_token: that came with it.

    Raises:
        SignInRefused: it is not; the code says in which way.
        ProviderUnusable: the keys cannot be had.
    """
    alg, claims = await _signed(provider, await provider.metadata(), id_token)
    _check(claims, provider.client, nonce=nonce)
    if "at_hash" in claims and not _is(claims["at_hash"], _half_hash(access_token, alg)):
        raise _refusal("at_hash_mismatch")
    return claims


async def _signed(provider: Provider, metadata: Metadata, id_token: str) -> tuple[str, Claims]:
    """By which algorithm it is signed with a key of the provider, and what it says."""
    header = _header(id_token)
    alg, kid = header.get("alg"), header.get("kid")
    offered = metadata.id_token_signing_alg_values_supported
    if not isinstance(alg, str) or alg not in ALGORITHMS or alg not in offered:
        raise _refusal("algorithm_refused")
    if kid is not None and not isinstance(kid, str):
        raise _refusal("malformed")
    keys = await provider.keys()
    claims = _read(id_token, keys, alg, kid)
    if claims is None:
        # The provider may have new keys, or a new one under an old name.
        newer = await provider.keys_after(keys)
        claims = None if newer is None else _read(id_token, newer, alg, kid)
    if claims is None:
        raise _refusal("signature_mismatch")
    return alg, claims


def _header(id_token: str) -> dict[str, Any]:
    if len(id_token) > _LONGEST:
        raise _refusal("malformed")
    try:
        header: object = jws.extract_compact(id_token.encode(), registry=_REGISTRY).headers()
    except (JoseError, ValueError, TypeError, RecursionError):
        raise _refusal("malformed") from None
    if not isinstance(header, dict):  # any JSON can stand there
        raise _refusal("malformed")
    return header


def _read(id_token: str, keys: Keys, alg: str, kid: str | None) -> Claims | None:
    """The claims under a signature by one of these keys; ``None`` where none made it."""
    for key in keys.fitting(alg, kid):
        try:
            return jwt.decode(id_token, key, algorithms=[alg], registry=_REGISTRY).claims
        except BadSignatureError:
            continue
        except (JoseError, ValueError, TypeError, RecursionError):
            raise _refusal("malformed") from None
    return None


def _check(claims: Claims, client: Client, *, nonce: str) -> None:
    registry = jwt.JWTClaimsRegistry(
        now=int(now().timestamp()),
        leeway=_SKEW_S,
        iss={"essential": True},
        sub={"essential": True},
        aud={"essential": True},
        exp={"essential": True},
        iat={"essential": True},
    )
    try:
        registry.validate(dict(claims))
    except ExpiredTokenError:
        raise _refusal("expired") from None
    except (JoseError, ValueError, TypeError):
        raise _refusal("malformed") from None
    if claims["iss"] != client.issuer:
        raise _refusal("wrong_issuer")
    audience = [claims["aud"]] if isinstance(claims["aud"], str) else claims["aud"]
    party = claims.get("azp")
    if (
        client.client_id not in audience
        or (len(audience) > 1 and party is None)
        or (party is not None and party != client.client_id)
    ):
        raise _refusal("wrong_audience")
    if not _is(claims.get("nonce"), nonce):
        raise _refusal("nonce_mismatch")
    if not 1 <= len(claims["sub"]) <= _LONGEST_SUBJECT:
        raise _refusal("malformed")


def _half_hash(access_token: str, alg: str) -> str:
    """Source: OpenID Connect Core 1.0, section 3.1.3.6; Ed25519 hashes with SHA-512."""
    bits = "512" if alg.startswith("Ed") else alg[2:]
    digest = hashlib.new(f"sha{bits}", access_token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _is(claimed: object, expected: str) -> bool:
    return isinstance(claimed, str) and hmac.compare_digest(
        claimed.encode(errors="surrogatepass"), expected.encode()
    )


def _refusal(why: str) -> SignInRefused:
    return SignInRefused(
        "What the sign-in provider says cannot be trusted, so nobody is signed in. Sign in once"
        " more; if it happens again, tell an administrator.",
        code=f"id_token_{why}",
    )
