"""The API keys of the sandbox: made, listed, rotated and revoked as in the developer portal."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from recon.clock import format_time, new_id
from recon.errors import Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from recon.sandbox.timeline import Clock

__all__ = ["SCOPES", "ApiKey", "KeyRing", "first_api_key", "first_signing_secret"]

SCOPES: Final = ("read:game_state", "read:balance", "read:bet", "write:bet")
"""The scopes that a key can have."""


def first_api_key(seed: int) -> str:
    """The API key that every sandbox of this seed starts with."""
    return "ck_sandbox_" + _derived(seed, "api-key")


def first_signing_secret(seed: int) -> str:
    """The signing secret of `first_api_key`."""
    return "sk_sandbox_" + _derived(seed, "signing-secret")


@dataclass(slots=True, eq=False)
class ApiKey:
    """An API key.

    Attributes:
        key_id: names it without giving it away.
        api_key: what callers send.
        scopes: what it may do.
        signing_secrets: newest first; two while one is being rotated.
        users: the players it may act for; None: all.
        created_at: when it was made.
        revoked: it gets 401 from now on.
    """

    key_id: str
    api_key: str = field(repr=False)
    scopes: frozenset[str]
    signing_secrets: list[str] = field(repr=False)
    users: frozenset[str] | None
    created_at: datetime
    revoked: bool = False

    def as_json(self, *, reveal: bool) -> dict[str, Any]:
        """The key as the control surface shows it; its secrets only when ``reveal``."""
        shown: dict[str, Any] = {
            "key_id": self.key_id,
            "scopes": sorted(self.scopes),
            "users": None if self.users is None else sorted(self.users),
            "created_at": format_time(self.created_at),
            "revoked": self.revoked,
            "signing_secrets_live": len(self.signing_secrets),
        }
        if reveal:
            shown["api_key"] = self.api_key
            shown["signing_secret"] = self.signing_secrets[0]
        return shown


class KeyRing:
    """Every key that was ever made.

    Args:
        seed: gives the first key, which has every scope.
        clock: stamps the keys.
    """

    def __init__(self, seed: int, clock: Clock) -> None:
        self._clock = clock
        self._by_id: dict[str, ApiKey] = {}
        self._by_key: dict[str, ApiKey] = {}
        self._add(
            ApiKey(
                key_id="k_1",
                api_key=first_api_key(seed),
                scopes=frozenset(SCOPES),
                signing_secrets=[first_signing_secret(seed)],
                users=None,
                created_at=clock.now(),
            )
        )

    def live(self, api_key: str) -> ApiKey | None:
        """The key behind what a caller sent, unless it is unknown or revoked."""
        key = self._by_key.get(api_key)
        return None if key is None or key.revoked else key

    def all(self) -> list[ApiKey]:
        """Every key, oldest first, the revoked ones too."""
        return list(self._by_id.values())

    def create(self, scopes: Iterable[str], users: Iterable[str] | None = None) -> ApiKey:
        """Make a key.

        Raises:
            Invalid: ``validation_failed`` for a scope that there is not.
        """
        wanted = frozenset(scopes)
        if not wanted or not wanted <= set(SCOPES):
            raise Invalid(f"scopes are {', '.join(SCOPES)}", code="validation_failed")
        return self._add(
            ApiKey(
                key_id=f"k_{new_id().hex}",
                api_key=f"ck_sandbox_{secrets.token_hex(16)}",
                scopes=wanted,
                signing_secrets=[_new_secret()],
                users=None if users is None else frozenset(users),
                created_at=self._clock.now(),
            )
        )

    def rotate(self, key_id: str) -> ApiKey:
        """Give a key a new signing secret; the one before stays valid beside it.

        Raises:
            NotFound: no such key.
        """
        key = self._get(key_id)
        key.signing_secrets = [_new_secret(), key.signing_secrets[0]]
        return key

    def retire(self, key_id: str) -> ApiKey:
        """End a rotation: only the newest signing secret stays valid.

        Raises:
            NotFound: no such key.
        """
        key = self._get(key_id)
        del key.signing_secrets[1:]
        return key

    def revoke(self, key_id: str) -> ApiKey:
        """Take a key out of use at once.

        Raises:
            NotFound: no such key.
        """
        key = self._get(key_id)
        key.revoked = True
        return key

    def _add(self, key: ApiKey) -> ApiKey:
        self._by_id[key.key_id] = key
        self._by_key[key.api_key] = key
        return key

    def _get(self, key_id: str) -> ApiKey:
        key = self._by_id.get(key_id) or self._by_key.get(key_id)
        if key is None:
            raise NotFound("there is no such key")
        return key


def _derived(seed: int, label: str) -> str:
    return hmac.digest(f"recon-sandbox:{seed}".encode(), label.encode(), "sha256").hex()[:32]


def _new_secret() -> str:
    return f"sk_sandbox_{secrets.token_hex(16)}"
