"""Peers on the same server: ``pgbench -N``, and pgledger by one SQL call a transfer."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

if TYPE_CHECKING:
    from pathlib import Path

    from recon.db.embedded import EmbeddedPostgres

__all__ = ["CLIENTS", "Peer", "pgbench", "pgledger"]

CLIENTS = 32
_ACCOUNTS = 10_000
_RATE = re.compile(r"^tps = ([0-9.]+) \(without", re.MULTILINE)

_TRANSFER = f"""
\\set a random(1, {_ACCOUNTS})
\\set b random(1, {_ACCOUNTS})
SELECT id FROM pgledger_create_transfer('from_' || :a::int, 'to_' || :b::int, 20.00);
"""  # noqa: S608 - numbers of our own

_OPEN_ACCOUNTS = """
INSERT INTO pgledger_accounts (
    id, name, currency, allow_negative_balance, allow_positive_balance, created_at, updated_at
)
SELECT side || i, side || i, 'GBP', true, true, now(), now()
FROM generate_series(1, $1::int) AS i, unnest(array['from_', 'to_']) AS side
"""


class Peer:
    """A pgbench run that can be repeated."""

    def __init__(self, server: EmbeddedPostgres, database: str, arguments: list[str]) -> None:
        self._server = server
        self._database = database
        self._arguments = arguments

    def run(self, *arguments: str) -> str:
        """Run pgbench on the peer's database; its output."""
        url = urlsplit(self._server.dsn_for(self._database))
        where = parse_qs(url.query)
        return subprocess.run(  # noqa: S603 - the server's own program
            [
                self._server.bin("pgbench"),
                *("-h", where["host"][0], "-p", where["port"][0]),
                *("-U", url.username or "", *arguments, self._database),
            ],
            env={"PGPASSWORD": unquote(url.password or "")},
            check=True,
            capture_output=True,
            text=True,
        ).stdout

    def rate(self, seconds: int) -> float:
        """Transactions a second."""
        clients = ["-c", str(CLIENTS), "-j", "2", "-T", str(seconds), "-n", "-M", "prepared"]
        found = _RATE.search(self.run(*clients, *self._arguments))
        assert found is not None
        return float(found.group(1))


def pgbench(server: EmbeddedPostgres, database: str) -> Peer:
    """``pgbench -N`` at scale 10 with prepared statements, its tables made."""
    peer = Peer(server, database, ["-N"])
    peer.run("-i", "-q", "-s", "10")
    return peer


async def pgledger(server: EmbeddedPostgres, database: str, checkout: Path, scratch: Path) -> Peer:
    """Random transfers between as many accounts that no client is kept waiting by another.

    Args:
        server: where.
        database: an empty one.
        checkout: of pgledger, or its ``pgledger.sql``; ``vendor/`` is found beside it.
        scratch: a directory for pgbench's script.
    """
    ledger = checkout if checkout.suffix == ".sql" else checkout / "pgledger.sql"
    ulid = ledger.parent / "vendor" / "scoville-pgsql-ulid" / "uuid-to-ulid.sql"
    connection = await asyncpg.connect(server.dsn_for(database))
    try:
        for file in (ulid, ledger):
            await connection.execute(file.read_text())
        await connection.execute(_OPEN_ACCOUNTS, _ACCOUNTS)
    finally:
        await connection.close()
    script = scratch / "pgledger.pgbench"
    script.write_text(_TRANSFER)
    return Peer(server, database, ["-f", str(script)])
