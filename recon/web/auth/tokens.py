"""Secrets that we hand out and know again: 256 random bits, of which only a digest is stored."""

from __future__ import annotations

import hashlib
import secrets

__all__ = ["digest_of", "new_token"]


def new_token() -> str:
    """A token, safe in a URL and in a cookie."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """What is stored of it. The token is random, so a plain digest cannot be searched.

    A cookie may hold any bytes; they are digested as they came, and match nothing.
    """
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()
