"""`recon seal`, `recon verify --anchor` and what `recon doctor` says of the past."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from recon.cli import recon
from recon.seals import SealKeys, keys_of_data_dir
from tests.seals.conftest import KEY, Book

if TYPE_CHECKING:
    from pathlib import Path

    from recon.db import Pool

UNSIGNED = "RECON_SEAL_KEYS is not set: the chain is by hash alone"


@dataclass
class Commands:
    """Runs commands with these settings; an exception comes through."""

    settings: dict[str, str]

    async def __call__(self, *arguments: str, code: int = 0, **more: str) -> str:
        runner = CliRunner(env={**self.settings, **more, "NO_COLOR": "1"}, catch_exceptions=False)
        result = await asyncio.to_thread(runner.invoke, recon, list(arguments))
        assert result.exit_code == code, result.output
        return result.stdout

    async def json(self, *arguments: str, code: int = 0, **more: str) -> Any:  # noqa: ANN401 - any JSON
        return json.loads(await self(*arguments, "--json", code=code, **more))


@pytest.fixture
def book(pool: Pool, owner: Pool) -> Book:
    return Book(pool, owner)


@pytest.fixture
def run(database_url: str) -> Commands:
    return Commands({"RECON_DATABASE_URL": database_url, "RECON_SEAL_KEYS": json.dumps([KEY])})


def found(doctor: dict[str, Any]) -> dict[str, tuple[bool, str]]:
    return {one["check"]: (one["ok"], one["detail"]) for one in doctor["findings"]}


async def test_what_seal_prints_is_an_anchor_for_verify(
    run: Commands, book: Book, tmp_path: Path
) -> None:
    await book.deposit("u_1")
    sealed = await run.json("seal")
    anchor = tmp_path / "anchor.json"
    anchor.write_text(json.dumps(sealed))
    await book.deposit("u_2")
    words = await run("verify", "--anchor", str(anchor))
    proof = await run.json("verify", "--anchor", str(anchor))

    assert (sealed["rows"], sealed["seals"], sealed["last_seal"]["number"]) == (3, 1, 1)
    assert (proof["ok"], proof["seals"], proof["signatures"]) == (True, 1, "checked")
    assert proof["last_seal"] == sealed["last_seal"]
    assert (proof["sealed_rows"], proof["unsealed"]["rows"]) == (3, 3)
    assert proof["sealed_until"] < proof["unsealed"]["since"]
    assert all(part in words for part in (proof["sealed_until"], "Not covered yet: 3 rows"))

    await book.rewrite("TRUNCATE seals, seal_links")
    await run("verify")
    cut = await run.json("verify", "--anchor", str(anchor), code=5)
    assert [fault["detail"] for fault in cut["faults"]] == [
        "seal 1, seen before, is gone: the chain ends with nothing"
    ]


@pytest.mark.parametrize("text", ["{", "[]", '{"last_seal": {"number": "one"}}', "{}"])
async def test_a_file_that_is_no_anchor_is_told_as_such(
    run: Commands, tmp_path: Path, text: str
) -> None:
    (tmp_path / "anchor.json").write_text(text)

    await run("verify", "--anchor", str(tmp_path / "anchor.json"), code=2)


async def test_a_rewritten_past_is_exit_5_in_words_and_in_data(run: Commands, book: Book) -> None:
    await book.deposit("u_1")
    await run("seal")
    await book.rewrite("UPDATE deliveries SET verified_by = 'nobody'")

    words = await run("verify", code=5)
    proof = await run.json("verify", code=5)

    assert "The books do NOT hold" in words
    assert [(fault["check"], fault["detail"]) for fault in proof["faults"]] == [
        ("delivery changed", "delivery bank evt_1 was changed after it was sealed as link 3")
    ]


async def test_doctor_says_whether_the_past_can_be_rewritten_and_whether_that_would_show(
    run: Commands, book: Book, owner_url: str
) -> None:
    await book.deposit("u_1")
    await run("seal")

    well = found(await run.json("doctor", code=5))
    assert well["database role"] == (True, "the service's role can change nothing that was written")
    assert well["seals"][0]
    assert well["seals"][1].endswith(f"by key {SealKeys([KEY]).newest_id}")

    bare = found(await run.json("doctor", code=5, RECON_DATABASE_URL=owner_url, RECON_SEAL_KEYS=""))
    assert not bare["database role"][0]
    assert "recon, which is superuser: give it a role of its own" in bare["database role"][1]
    assert bare["seals"] == (False, "seal 1 is signed, and no key is set here: RECON_SEAL_KEYS")


async def test_without_a_key_doctor_says_so_and_adopting_the_chain_signs_it(
    run: Commands, book: Book
) -> None:
    await book.deposit("u_1")
    unsigned = await run.json("seal", RECON_SEAL_KEYS="")
    said = found(await run.json("doctor", code=5, RECON_SEAL_KEYS=""))
    assert unsigned["last_seal"]["key_id"] is None
    assert (said["seals"][0], said["seals"][1].startswith(UNSIGNED)) == (False, True)

    await run("verify", code=5)
    adopted = await run.json("seal", "--adopt")

    assert adopted["last_seal"]["key_id"] == SealKeys([KEY]).newest_id
    assert (await run.json("verify"))["signatures"] == "checked"


async def test_a_short_key_is_refused_without_being_shown(run: Commands) -> None:
    with pytest.raises(Exception, match="fewer than 32 characters") as refused:
        await run("seal", RECON_SEAL_KEYS='["hunter2"]')

    assert "hunter2" not in str(refused.value)


def test_the_key_beside_the_embedded_postgres_is_made_once_and_private(tmp_path: Path) -> None:
    made = [keys_of_data_dir(tmp_path) for _ in range(3)]

    assert len({keys.newest_id for keys in made}) == 1
    (kept,) = tmp_path.iterdir()
    assert (kept.name, kept.stat().st_mode & 0o777) == ("seal-keys.json", 0o600)
    assert [len(key) for key in json.loads(kept.read_text())] == [64]
