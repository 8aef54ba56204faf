"""Passwords: argon2id with the library's parameters (RFC 9106, low memory), in threads."""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from recon.errors import Invalid

__all__ = ["check_password", "hash_password"]

_SHORTEST: Final = 12
_LONGEST: Final = 1024

_HASHER: Final = PasswordHasher()
# Each hash takes 64 MiB: two at once, and the others wait, so that a flood of sign-ins cannot use
# up the memory or the default threads.
_THREADS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


async def hash_password(password: str) -> str:
    """The hash to store.

    Raises:
        Invalid: ``weak_password``: shorter than 12 or longer than 1024 characters.
    """
    if not _SHORTEST <= len(password) <= _LONGEST:
        raise Invalid(
            f"a password has {_SHORTEST} to {_LONGEST} characters; a sentence does well",
            code="weak_password",
        )
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _HASHER.hash, password)


async def check_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a fresh hash where the stored one is out of date.

    Without a stored hash it takes as long and says no, so that time does not tell who exists.
    """
    return await asyncio.get_running_loop().run_in_executor(_THREADS, _check, password, stored)


def _check(password: str, stored: str | None) -> tuple[bool, str | None]:
    decoy = _decoy()
    # A password that is too long was never stored; it is not hashed, whoever is asked for.
    given = password if len(password) <= _LONGEST else ""
    try:
        right = _HASHER.verify(stored or decoy, given)
    except (VerificationError, InvalidHashError):
        return False, None
    if stored is None or not right:
        return False, None
    return True, _HASHER.hash(given) if _HASHER.check_needs_rehash(stored) else None


@cache
def _decoy() -> str:
    return _HASHER.hash(secrets.token_hex())
