"""Every static check of the house by one command, which CI runs too: ``make check``.

``python -m tests.checks`` runs all of them, ``python -m tests.checks ruff mypy`` those named so.
Each is configured in pyproject.toml (squawk, which cannot read it, in .squawk.toml).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["CHECKS", "main"]

ROOT = Path(__file__).parent.parent
_BIN = Path(sys.executable).parent


@dataclass(frozen=True, slots=True)
class Check:
    """One tool's command line, run at the top of the checkout."""

    name: str
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """How a check ended; ``output`` is what the tool said, both streams in its order."""

    name: str
    ok: bool
    seconds: float
    output: str


CHECKS = (
    Check("sqlfluff", ("sqlfluff", "lint", "--disable-progress-bar", "recon", "alembic/versions")),
    Check("mypy", ("mypy", "--no-error-summary")),
    Check("ruff", ("ruff", "check", "--quiet", "--output-format", "concise", ".")),
    Check(
        "ruff format", ("ruff", "format", "--check", "--quiet", "--output-format", "concise", ".")
    ),
    Check("import-linter", ("lint-imports", "--no-logo")),
    Check("deptry", ("deptry", ".")),
    Check("vulture", ("vulture",)),
    Check("squawk", ("squawk", "alembic/versions/*.up.sql")),
)


async def run(check: Check) -> Result:
    """Run one check in the checkout; a tool that is not installed is a failure that says so."""
    started_at_s = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            _BIN / check.command[0],
            *check.command[1:],
            cwd=ROOT,
            env=os.environ | {"NO_COLOR": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except FileNotFoundError:
        output, ok = f"{check.command[0]} is not installed beside {sys.executable}", False
    else:
        said, _ = await process.communicate()
        output, ok = said.decode(errors="replace").strip(), process.returncode == 0
    return Result(check.name, ok, time.monotonic() - started_at_s, output)


async def main(names: list[str]) -> int:
    """Run the checks named (all, when none is), as many at once as there are processors.

    Returns:
        0 when every one passed, 1 when one failed, 2 when a name is unknown.
    """
    unknown = set(names) - {check.name for check in CHECKS}
    if unknown:
        known = ", ".join(check.name for check in CHECKS)
        print(f"no such check: {', '.join(sorted(unknown))}; there are {known}", file=sys.stderr)
        return 2
    slots = asyncio.Semaphore(os.cpu_count() or 1)

    async def in_turn(check: Check) -> Result:
        async with slots:
            return await run(check)

    started_at_s = time.monotonic()
    chosen = [check for check in CHECKS if not names or check.name in names]
    failed = []
    for ended in asyncio.as_completed([in_turn(check) for check in chosen]):
        result = await ended
        print(f"{'ok    ' if result.ok else 'FAILED'} {result.name:<14}{result.seconds:6.1f} s")
        if not result.ok:
            failed.append(result.name)
            print("\n".join(f"    {line}" for line in result.output.splitlines()))
    took_s = time.monotonic() - started_at_s
    verdict = f"failed: {', '.join(failed)}" if failed else "all passed"
    print(f"{len(chosen)} checks in {took_s:.1f} s, {verdict}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
