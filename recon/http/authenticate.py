"""Who calls: keys are looked up, those of all calls that have come meanwhile in one statement.

Nothing is remembered from one look-up to the next, so that a key is refused as soon as its
revocation is committed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from recon.db import load
from recon.db.sharing import Shared, take_each
from recon.errors import Unauthentic
from recon.http.keys import Principal, hash_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import asyncpg

    from recon.db import Pool

__all__ = ["KEYS", "Keys"]

_SHAPE: Final = re.compile(r"rk_[\x21-\x7e]{1,128}")


class Keys:
    """The callers' keys of one database.

    Args:
        pool: the database.
    """

    def __init__(self, pool: Pool) -> None:
        self._looking_up: Shared[bytes, Principal | None] = Shared(
            lambda hashes: take_each(pool, hashes, _find)
        )

    async def authenticate(self, header: str | None) -> Principal:
        """The caller that an ``Authorization`` header names.

        Raises:
            Unauthentic: no key, an unknown, an expired or a revoked one.
        """
        scheme, _, key = (header or "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key:
            raise Unauthentic("send Authorization: Bearer and an API key", code="key_missing")
        # What cannot be one of ours costs no look into the database.
        principal = await self._looking_up.take_one(hash_of(key)) if _SHAPE.fullmatch(key) else None
        if principal is None:
            raise Unauthentic("this key is unknown, expired or revoked", code="invalid_api_key")
        return principal


async def _find(
    connection: asyncpg.Connection[Any], hashes: Sequence[bytes]
) -> Sequence[Principal | None]:
    rows = await connection.fetch(load("recon.http", "use_keys"), list(set(hashes)))
    found = {
        row["key_hash"]: Principal(row["name"], row["key_id"], frozenset(row["scopes"]))
        for row in rows
    }
    return [found.get(key) for key in hashes]


KEYS: web.AppKey[Keys] = web.AppKey("keys", Keys)
