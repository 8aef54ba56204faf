"""Every command and snippet of the documentation is run, and prints what it says it prints."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import random
import re
import signal
import socket
import tomllib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

from recon.db.embedded.child import die_with_parent
from tests.docs.blocks import DOCUMENTS, ROOT, Block, blocks_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from tests.docs.conftest import Shell, Statements

_PORTS: Final = ("8080", "8800")
"""What documents call the service and the sandbox; free ones take their places."""

_GIVEN: Final = re.compile(r"<!-- given: (\S+) -->")
_EXITS: Final = re.compile(r"# exit (\d+)")
_SET_UP: Final = "<!-- set up -->"
_DATA: Final[dict[str, Callable[[str], object]]] = {
    "json": json.loads,
    "toml": tomllib.loads,
    "python": ast.parse,
}
_WRITTEN: Final = {"sh", "text", "sql", "mermaid", *_DATA}

_SERVES: Final = re.compile(r"^(recon serve\b[^&\n]*?--port (\d+)[^&\n]*)$", re.MULTILINE)
_WAITED_FOR: Final = r"""\1 &
until curl -fs http://127.0.0.1:\2/healthz >/dev/null; do
  if ! kill -0 $!; then false; break; fi; sleep 0.1
done"""

_RUN: Final = """
trap 'echo "$block $? $BASH_COMMAND" >>"$failed"' ERR
set -o pipefail
"""


def documents_with(language: str) -> list[Path]:
    return [path for path in DOCUMENTS if any(b.language == language for b in blocks_of(path))]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_every_block_is_of_a_kind_that_is_checked(document: Path) -> None:
    for block in blocks_of(document):
        assert block.language in _WRITTEN, block.where
        if block.not_run is not None:
            assert len(block.not_run) > 10, f"{block.where} does not say why it is not run"
        if block.language in _DATA:
            _DATA[block.language](block.text)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("document", documents_with("sh"), ids=named)
async def test_every_command_runs_and_prints_what_stands_below_it(
    document: Path, shell: Shell, statements: Statements
) -> None:
    blocks = [*given(document), *blocks_of(document)]
    commands = [block for block in blocks if block.language == "sh"]
    for block in commands:
        await spoken_right(block)
    ran = [block for block in commands if block.not_run is None]
    await statements([block for block in blocks if block.language == "sql"])

    said = await run(ran, shell)

    for block, output in zip(blocks, [*blocks[1:], None], strict=True):
        if block in ran and output is not None and output.follows:
            compare(output, said[ran.index(block)])


def given(document: Path) -> list[Block]:
    """The blocks of the set-up that a document begins with."""
    named_in = _GIVEN.search(document.read_text())
    if named_in is None:
        return []
    other = (document.parent / named_in.group(1)).resolve()
    before = other.read_text().partition(_SET_UP)[0].count("```") // 2
    return [block for block in blocks_of(other)[:before] if block.language == "sh"]


async def spoken_right(block: Block) -> None:
    """It is shell, whether or not it is run."""
    checking = await asyncio.create_subprocess_exec(
        *("bash", "-n", "-c", block.text), stderr=asyncio.subprocess.PIPE
    )
    _, wrong = await checking.communicate()
    assert checking.returncode == 0, f"{block.where}: {wrong.decode()}"


async def run(blocks: Sequence[Block], shell: Shell) -> list[str]:
    """What each block printed, run in one shell one after the other.

    A command fails if its line says so, ``# exit 3``, and not otherwise.
    """
    known = shell.stands_for | {port: str(free_port()) for port in _PORTS}
    here = re.compile("|".join(map(re.escape, known)))
    failed = shell.folder / "failed"
    script = [_RUN]
    for number, block in enumerate(blocks):
        # What would stay in the foreground is put behind, and waited for.
        text = here.sub(lambda said: known[said.group()], block.text)
        text = _SERVES.sub(_WAITED_FOR, re.sub(r" +#.*$", "", text, flags=re.MULTILINE))
        (shell.folder / f"block-{number}").write_text(f"{text}\n:\n")
        script.append(
            f"block={number}; source ./block-{number} >out-{number} 2>err-{number} </dev/null"
        )
    bash = await asyncio.create_subprocess_exec(
        *("bash", "-c", "\n".join(script)),
        cwd=shell.folder,
        env={**shell.environment, "failed": str(failed)},
        preexec_fn=die_with_parent(),
        start_new_session=True,
    )
    try:
        await asyncio.wait_for(bash.wait(), 800)
    except TimeoutError:
        reached = max(n for n in range(len(blocks)) if (shell.folder / f"out-{n}").exists())
        pytest.fail(f"{blocks[reached].where} does not end; {output_of(shell, reached)}")
    finally:
        stop_all(bash.pid)
        await bash.wait()

    failures = [
        (int(number), int(code), command)
        for line in (failed.read_text().splitlines() if failed.exists() else [])
        for number, code, command in [line.split(" ", 2)]
    ]
    for number, block in enumerate(blocks):
        expected = [int(code) for code in _EXITS.findall(block.text)]
        came = [(code, command) for of, code, command in failures if of == number]
        assert [code for code, _ in came] == expected, (
            f"{block.where}: {came}; {output_of(shell, number)}"
        )
    return [(shell.folder / f"out-{number}").read_text() for number in range(len(blocks))]


def output_of(shell: Shell, number: int) -> str:
    """What a block has told and printed so far."""
    told, printed = ((shell.folder / f"{to}-{number}").read_text() for to in ("err", "out"))
    return f"{told}\n{printed}"


def stop_all(group: int) -> None:
    """End what a document has left running, as closing its terminal would."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGTERM)


def compare(written: Block, printed: str) -> None:
    """What is printed has the shape of what is written: ids, times and what follows differ."""
    if written.language == "json":
        assert shape(json.loads(printed)) == shape(json.loads(written.text)), (
            f"{written.where}: it prints {printed}"
        )
    elif written.language == "text":
        rest = masked(printed)
        for line in masked(written.text):
            assert line in rest, f"{written.where}: {line!r} is not printed: {printed}"


def shape(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Names and kinds of a document; what is decided stays, what is made up each time goes."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return masked(value) if isinstance(value, str) else value


def masked(text: str) -> list[str]:
    """Its lines without ids, times, keys and widths of columns."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID", text)
    text = re.sub(r"\b(rk|key|pi|evt|po|re|r|t|tx|req)_[\w-]{8,}", r"\1_ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)?", "TIME", text)
    text = re.sub(r"\b[0-9a-f]{32,}\b", "HASH", text)
    return [re.sub(r"[\s━─┃│]+", " ", line).strip() for line in text.splitlines() if line.strip()]


def free_port() -> int:
    """A port below those that the system hands out, so that nobody is given it meanwhile."""
    while True:
        port = random.randrange(20_000, 32_000)  # noqa: S311 - not a secret
        with socket.socket() as asked:
            try:
                asked.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


async def test_a_command_that_fails_without_a_word_of_it_is_not_let_through(shell: Shell) -> None:
    quiet = Block("made-up:1", "sh", "true\nfalse  # exit 1, as it should\n", None, follows=False)
    await run([quiet], shell)
    loud = Block("made-up:2", "sh", "recon --no-such-option\n", None, follows=False)
    with pytest.raises(AssertionError, match=r"made-up:2: .*\(2, 'recon --no-such-option'"):
        await run([loud], shell)
    dead = Block("made-up:5", "sh", "recon serve --port 1\n", None, follows=False)
    with pytest.raises(AssertionError, match=r"made-up:5: .*'false'"):
        await run([dead], shell)
    with pytest.raises(AssertionError, match="is not printed"):
        compare(Block("made-up:3", "text", "2 wallets agree\n", None, follows=True), "1 agrees\n")
    with pytest.raises(AssertionError, match="it prints"):
        compare(Block("made-up:4", "json", '{"a": "1.00"}', None, follows=True), '{"a": "2.00"}')
