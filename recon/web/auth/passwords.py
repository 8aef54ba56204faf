"""Passwords: argon2id with the library's parameters (RFC 9106, low memory), in threads.

Each hash takes 64 MiB: two at once, and the others wait in a line that has an end, so that a flood
of sign-ins uses up neither the memory nor the threads of everybody else.
"""

from __future__ import annotations

import asyncio
import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from recon.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check_password", "hash_password", "refuse_if_busy"]

_Result = TypeVar("_Result")

_SHORTEST: Final = 12
_LONGEST: Final = 1024

_HASHER: Final = PasswordHasher()
_THREADS: Final = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")
_MOST_IN_LINE: Final = 100
"""Some five seconds of waiting."""
_in_line: Final[set[asyncio.Future[Any]]] = set()


def refuse_if_busy() -> None:
    """Let nobody join a line that is too long, before their try is counted.

    Raises:
        Unavailable: ``sign_in_busy``.
    """
    if len(_in_line) >= _MOST_IN_LINE:
        raise Unavailable(
            "Too many are signing in at this moment. Try again in a few seconds.",
            code="sign_in_busy",
        )


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
    return await _in_turn(lambda: _HASHER.hash(password))


async def check_password(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether the password is right, and a fresh hash where the stored one is out of date.

    Without a stored hash it takes as long and says no, so that time does not tell who exists.
    """
    return await _in_turn(lambda: _check(password, stored))


async def _in_turn(work: Callable[[], _Result]) -> _Result:
    turn = asyncio.get_running_loop().run_in_executor(_THREADS, work)
    _in_line.add(turn)
    turn.add_done_callback(_in_line.discard)
    return await turn


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
