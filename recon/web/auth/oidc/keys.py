"""The provider's keys: which of them a token may have been signed with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from recon.web.auth.oidc.errors import ProviderUnusable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALGORITHMS", "Keys", "PublicKey"]

PublicKey = RSAKey | ECKey | OKPKey

ALGORITHMS: Final[Mapping[str, tuple[str, str | None]]] = {
    **{f"{family}{bits}": ("RSA", None) for family in ("RS", "PS") for bits in (256, 384, 512)},
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "ES512": ("EC", "P-521"),
    "EdDSA": ("OKP", "Ed25519"),
    "Ed25519": ("OKP", "Ed25519"),
}
"""The signatures that are taken, with key type and curve: never ``none``, and no shared secret."""

_MOST_KEYS: Final = 50
_SHORTEST_RSA: Final = 2048
_TYPES: Final[Mapping[str, type[PublicKey]]] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_PUBLIC: Final = frozenset({"kty", "kid", "alg", "n", "e", "crv", "x", "y"})


@dataclass(frozen=True, slots=True)
class Keys:
    """A key set as it was read.

    Args:
        read_at: when, on the provider's own clock.
        keys: those that can have signed.
    """

    read_at: float
    keys: tuple[PublicKey, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any], *, read_at: float) -> Keys:
        """Take the signing keys out of a JWK Set; what is of no use to us is passed over.

        Raises:
            ProviderUnusable: it is no JWK Set, or has no key to check a signature with.
        """
        listed = document.get("keys")
        if not isinstance(listed, list):
            raise ProviderUnusable("its keys are no JWK Set")
        found = [_key(one) for one in listed[:_MOST_KEYS] if isinstance(one, dict)]
        keys = tuple(key for key in found if key is not None)
        if not keys:
            raise ProviderUnusable("it has no key that a signature can be checked with")
        return cls(read_at, keys)

    def fitting(self, alg: str, kid: str | None) -> list[PublicKey]:
        """The keys that may have made a signature of ``alg``, ``kid`` where the token names one."""
        kind, curve = ALGORITHMS[alg]
        return [
            key
            for key in self.keys
            if key.key_type == kind
            and (kid is None or key.kid == kid)
            and key.alg in {None, alg}
            and (curve is None or key.get("crv") == curve)
        ]


def _key(document: dict[str, Any]) -> PublicKey | None:
    """A key to check signatures with; ``None`` where it is none, or too weak to be one."""
    kind = document.get("kty")
    if not isinstance(kind, str) or kind not in _TYPES or document.get("use", "sig") != "sig":
        return None
    modulus = document.get("n", "")
    if kind == "RSA" and not (isinstance(modulus, str) and _bits(modulus) >= _SHORTEST_RSA):
        return None
    try:
        key = _TYPES[kind].import_key(
            {name: value for name, value in document.items() if name in _PUBLIC}
        )
        # Imported lazily: what is no point of its curve shows only now.
        key.public_key  # noqa: B018 - for what it raises
    except (JoseError, ValueError, TypeError):
        return None
    return key


def _bits(modulus: str) -> int:
    """Bits of a number in base64url, rounded down to whole bytes."""
    return len(modulus.rstrip("=")) * 6 // 8 * 8
