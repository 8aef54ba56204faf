"""What documentation runs in: a shell whose ``recon`` is warm, and a database of its own."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import pytest

from recon.db.embedded.child import die_with_parent
from tests.docs.blocks import ROOT
from tests.scratch import passable_folder

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
    from pathlib import Path

    import asyncpg

    from recon.db.embedded import EmbeddedPostgres
    from tests.docs.blocks import Block

    Statements = Callable[[Sequence[Block]], Awaitable[None]]

_numbers = count(1)

_SECRETS: Final = {
    "seal_keys": f'["{"5e" * 32}"]',
    "game_key": "ck_live_documented",
    "game_signing": "sk_live_documented",
    "stripe_uk": '["whsec_new", "whsec_old"]',
    "ada": "correct-horse-battery\n",
}
_MADE: Final = re.compile(r"CREATE (ROLE|DATABASE) (\w+)")
_MAKE: Final = f"""#!/bin/sh
# `make test` and `make check` are what runs this; their targets have to be there.
for target in "$@"; do
  case $target in *=*) ;; *) grep -q "^$target:" {ROOT}/Makefile || exit 9 ;; esac
done
"""


def documented(text: str) -> str:
    """The database and roles of a document, by names that the tests' server has not given away."""
    return re.sub(r"\brecon\b(?=$| OWNER)", "documented", text).replace("recon_", "documented_")


@dataclass(frozen=True)
class Shell:
    """Where a document's blocks run: an empty folder, with what the repository has beside it."""

    folder: Path
    environment: dict[str, str]
    stands_for: dict[str, str]
    """What a document says for what is the reader's own → what it is here."""


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """A folder to put on PATH: ``recon``, forked from a process that has imported it."""
    with passable_folder("recon-docs-") as folder:
        (folder / "make").write_text(_MAKE)
        (folder / "make").chmod(0o755)
        (folder / "pip").write_text("#!/bin/sh\nexit 0\n")
        (folder / "pip").chmod(0o755)
        yield folder


@pytest.fixture(scope="session")
async def warm(programs: Path) -> AsyncIterator[Path]:
    """The same, once it answers."""
    serving = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.docs.prefork"),
        *(str(programs / "prefork"), str(programs / "recon")),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent(),
    )
    assert serving.stdout is not None
    assert await asyncio.wait_for(serving.stdout.readline(), 60) == b"ready\n"
    yield programs
    serving.kill()
    await serving.wait()


@pytest.fixture
async def shell(
    warm: Path,
    server: EmbeddedPostgres,
    administrator: asyncpg.Connection[Any],
    template: str,
    home: Path,
) -> AsyncIterator[Shell]:
    """A shell with a migrated database, and the ports that stand in the documents free for it."""
    name = f"docs_{next(_numbers)}"
    await administrator.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    folder = home / name
    folder.mkdir()
    for beside in ("deploy", "docs", "tests"):
        (folder / beside).symlink_to(ROOT / beside)
    secrets = folder / "secrets"
    secrets.mkdir()
    for secret, value in _SECRETS.items():
        (secrets / secret).write_text(value)
    roles = [f"postgresql://recon_{role}:…@db/recon" for role in ("owner", "service")]
    sockets = server.dsn_for("documented").partition("@")[2]
    yield Shell(
        folder,
        {
            "PATH": f"{warm}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(folder),
            "RECON_DATABASE_URL": server.service_dsn_for(name),
            "RECON_MIGRATION_DATABASE_URL": server.dsn_for(name),
        },
        {role: documented(role).replace("db/documented", sockets) for role in roles}
        | {
            "/run/secrets": str(secrets),
            "https://game.example": "https://127.0.0.1:1",
            "0.0.0.0": "127.0.0.1",  # noqa: S104 - what a document says, and no test does
        },
    )
    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def statements(administrator: asyncpg.Connection[Any]) -> AsyncIterator[Statements]:
    """Run documented SQL as whoever runs the database; what it makes is dropped."""
    made: list[tuple[str, str]] = []

    async def execute(blocks: Sequence[Block]) -> None:
        for block in blocks:
            if block.not_run is None:
                for statement in filter(str.strip, documented(block.text).split(";")):
                    await administrator.execute(statement)
                    made.extend((m[1], m[2]) for m in _MADE.finditer(statement))

    yield execute
    for kind, name in reversed(made):
        await administrator.execute(
            f"DROP {kind} IF EXISTS {name}{' WITH (FORCE)' * (kind == 'DATABASE')}"
        )
