"""The command line's reports: data on stdout, words on stderr, codes that scripts can trust."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import zipfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from recon.cli import discrepancy_listing, recon
from recon.clock import format_time, new_id, now
from recon.errors import NotFound, Unauthentic
from recon.http.authenticate import Keys
from recon.reconciliation import Cause
from recon.reconciliation.comment import comment
from recon.reconciliation.propose import propose
from tests.reconciliation.cases import Cases, by

if TYPE_CHECKING:
    from pathlib import Path

    from recon.db import Pool


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: bytes
    err: str

    def json(self) -> Any:  # noqa: ANN401 - whatever the command prints
        return json.loads(self.out)


Run = Callable[..., Awaitable[Ran]]
PAIRS = [("a", "30.00"), ("b", "70.00"), ("c", "45.00"), ("d", "55.00")]


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


@pytest.fixture
def run(database_url: str) -> Run:
    """Run a command on the test's database, in a thread with a loop of its own."""

    async def command(*arguments: str) -> Ran:
        result = await asyncio.to_thread(
            CliRunner(catch_exceptions=False).invoke,
            recon,
            ["--database-url", database_url, *arguments],
        )
        return Ran(result.exit_code, result.stdout_bytes, result.stderr)

    return command


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_the_list_exits_3_while_anything_is_open_and_0_when_nothing_is(
    run: Run, cases: Cases
) -> None:
    clean = await run("discrepancies", "list", "--json")
    case = await cases.seen("u_1", "20.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    dirty = await run("discrepancies", "list", "--json")
    await cases.agrees("u_1")
    healed = await run("discrepancies", "list", "--json")

    assert (clean.code, clean.json()) == (0, [])
    (found,) = dirty.json()
    assert (dirty.code, found["discrepancy_id"], found["difference"], found["cause"]) == (
        3,
        str(case),
        "20.00",
        "missing_webhook",
    )
    assert (healed.code, [one["status"] for one in healed.json()]) == (0, ["cleared"])


async def test_the_list_takes_filters_and_says_3_for_what_they_leave_out_of_sight(
    run: Run, cases: Cases
) -> None:
    await cases.seen("u_1", "20.00")
    await cases.seen("u_2", "20.00")

    mine = await run("discrepancies", "list", "--user", "u_1", "--json")
    none = await run("discrepancies", "list", "--status", "cleared", "--json")
    nobody = await run("discrepancies", "list", "--user", "u_9", "--json")
    newest = await run("discrepancies", "list", "--limit", "1", "--json")

    assert [one["user_id"] for one in mine.json()] == ["u_1"]
    # None of those listed is open, and yet something is.
    assert (none.code, none.json()) == (3, [])
    assert (nobody.code, nobody.json()) == (0, [])
    assert [one["user_id"] for one in newest.json()] == ["u_2"]


async def test_as_data_all_are_printed_page_by_page_and_as_a_table_the_newest(
    run: Run, cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        await cases.seen(f"u_{number}", "20.00")
    monkeypatch.setattr(discrepancy_listing, "_PAGE", 2)
    monkeypatch.setattr(discrepancy_listing, "MOST_ROWS", 3)

    every = await run("discrepancies", "list", "--json")
    newest = await run("discrepancies", "list", "--limit", "3", "--json")
    table = await run("discrepancies", "list")
    longer = await run("discrepancies", "list", "--limit", "5")

    assert [one["user_id"] for one in every.json()] == ["u_4", "u_3", "u_2", "u_1", "u_0"]
    assert [one["user_id"] for one in newest.json()] == ["u_4", "u_3", "u_2"]
    assert [b"u_2" in table.out, b"u_1" in table.out, "the newest 3" in table.err] == [
        *(True, False, True),
    ]
    assert (b"u_0" in longer.out, "newest" in longer.err) == (True, False)


async def test_a_table_in_a_pipe_keeps_every_id_whole(run: Run, cases: Cases) -> None:
    user = "u_" + "long" * 20
    case = await cases.seen(user, "20.00")

    listed = (await run("discrepancies", "list")).out.decode()

    assert str(case) in listed
    assert user in listed
    assert "+20.00 GBP" in listed


async def test_what_stands_in_a_cell_is_never_taken_for_markup(run: Run, cases: Cases) -> None:
    await cases.seen("[red]u_1[/red]", "20.00")

    assert "[red]u_1[/red]" in (await run("discrepancies", "list")).out.decode()


async def test_one_is_shown_with_its_equation_its_adjustments_and_its_history(
    run: Run, cases: Cases
) -> None:
    case = await cases.seen("u_1", "20.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    await comment(cases.pool, case, "asked the PSP", step=by("ana"))
    await propose(cases.pool, case, "20.00", "report", step=by("ana"))

    shown = await run("discrepancies", "show", str(case), "--json")
    words = (await run("discrepancies", "show", str(case))).out.decode()

    told = shown.json()
    assert (shown.code, told["discrepancy_id"]) == (0, str(case))
    assert [one["state"] for one in told["adjustments"]] == ["proposed"]
    assert [one["action"] for one in told["events"]] == ["opened", "commented", "proposed"]
    assert "difference 20.00 = 20.00 explained + 0.00 unexplained" in words
    assert "p1 unreported" in words


async def test_incidents_are_listed_and_what_is_part_of_one(
    run: Run, cases: Cases, owner: Pool
) -> None:
    case, other = await cases.seen("u_1", "20.00"), await cases.seen("u_2", "30.00")
    incident_id = new_id()
    async with owner.acquire() as connection:
        await connection.execute(
            "INSERT INTO incidents (incident_id, cause, root, from_at, until_at)"
            " VALUES ($1, 'missing_webhook', 'stripe_uk', now(), now())",
            incident_id,
        )
        await connection.execute(
            "UPDATE discrepancies SET incident_id = $1 WHERE discrepancy_id = $2",
            *(incident_id, case),
        )

    told = await run("discrepancies", "incidents", "--json")
    shown = await run("discrepancies", "incidents")
    part = await run("discrepancies", "list", "--incident", str(incident_id), "--json")

    (incident,) = told.json()
    assert (incident["incident_id"], incident["root"]) == (str(incident_id), "stripe_uk")
    assert incident["parts"] == [
        {"currency": "GBP", "discrepancies": 1, "still_open": 1, "difference": "20.00"}
    ]
    assert b"stripe_uk" in shown.out
    assert [one["discrepancy_id"] for one in part.json()] == [str(case)]
    assert str(other).encode() not in part.out


async def test_an_incident_that_stopped_a_run_is_listed_though_nothing_is_part_of_it(
    run: Run, owner: Pool
) -> None:
    none_open = await run("discrepancies", "incidents")
    await owner.execute(
        "INSERT INTO incidents (incident_id, cause, root, from_at, until_at, stopped_run_id,"
        " looked, differed) VALUES ($1, 'unexplained', 'the game', now(), now(), $2, 500, 440)",
        *(new_id(), new_id()),
    )

    shown = await run("discrepancies", "incidents")
    await owner.execute("UPDATE incidents SET closed_at = now()")
    told = await run("discrepancies", "incidents", "--all")

    assert "No incident is open." in none_open.err
    for one, still in ((shown, "yes"), (told, "no")):
        words = " ".join(one.out.decode().replace("│", " ").split())
        assert f"440 of 500 {still} a run was stopped" in words


async def test_what_may_be_behind_one_is_shown_set_by_set(run: Run, cases: Cases) -> None:
    missing = [(name, amount, Cause.MISSING_WEBHOOK) for name, amount in PAIRS]
    case = await cases.seen("u_1", "100.00", evidence=missing)

    words = (await run("discrepancies", "show", str(case))).out.decode().splitlines()

    said = [line.partition(":")[0] for line in words if line.startswith(("it may be", "  "))]
    assert said == [
        "it may be, 49 % certain",
        "  30.00  payment a",
        "  70.00  payment b",
        "it may be, 49 % certain",
        "  45.00  payment c",
        "  55.00  payment d",
    ]


async def test_showing_what_is_not_there_fails(run: Run) -> None:
    with pytest.raises(NotFound):
        await run("discrepancies", "show", str(new_id()))

    assert (await run("discrepancies", "show", "nonsense")).code == 2


async def test_an_export_goes_to_stdout_or_a_file(run: Run, cases: Cases, tmp_path: Path) -> None:
    await cases.seen("u_1", "20.00")
    sheet, array = tmp_path / "d.xlsx", tmp_path / "d.json"

    piped = await run("discrepancies", "export", "--format", "csv")
    dashed = await run("discrepancies", "export", "--format", "csv", "-o", "-")
    await run("discrepancies", "export", "--format", "xlsx", "-o", str(sheet))
    await run("discrepancies", "export", "--format", "json", "-o", str(array))

    (line,) = csv.DictReader(io.StringIO(piped.out.decode(), newline=""))
    assert (line["user_id"], line["difference"]) == ("u_1", "20.00")
    assert len(dashed.out) == len(piped.out)
    assert zipfile.ZipFile(sheet).testzip() is None
    assert [one["user_id"] for one in json.loads(array.read_bytes())] == ["u_1"]
    assert names_in(tmp_path) == ["d.json", "d.xlsx"]


async def test_an_export_that_fails_leaves_the_file_that_was_there(
    run: Run, cases: Cases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cases.seen("u_1", "20.00")
    target = tmp_path / "d.csv"
    target.write_text("yesterday's")
    monkeypatch.setattr("recon.reconciliation.export._csv_cell", lambda _: 1 / 0)

    with pytest.raises(ZeroDivisionError):
        await run("discrepancies", "export", "-o", str(target))

    assert names_in(tmp_path) == ["d.csv"]
    assert target.read_text() == "yesterday's"
    assert (await run("discrepancies", "export", "-o", str(tmp_path / "no" / "d.csv"))).code == 2


async def test_a_wallet_is_shown_in_every_currency_with_its_last_entries(
    run: Run, cases: Cases
) -> None:
    await cases.deposit("u_1", "5.00")
    await cases.deposit("u_1", "7.50")
    await cases.deposit("u_1", "300", "JPY")

    shown = (await run("wallet", "show", "u_1", "--json")).json()
    one = (await run("wallet", "show", "u_1", "--currency", "JPY", "--json")).json()
    last = (await run("wallet", "show", "u_1", "--entries", "1", "--json")).json()
    words = (await run("wallet", "show", "u_1")).out.decode()

    balances = [(w["currency"], w["available"], w["version"]) for w in shown["wallets"]]
    assert (shown["user_id"], balances) == ("u_1", [("GBP", "12.50", 2), ("JPY", "300", 1)])
    entries = [
        (e["version"], e["amount"], e["available_after"]) for e in shown["wallets"][0]["entries"]
    ]
    assert entries == [(2, "7.50", "12.50"), (1, "5.00", "5.00")]
    assert [w["currency"] for w in one["wallets"]] == ["JPY"]
    assert [e["version"] for e in last["wallets"][0]["entries"]] == [2]
    assert "u_1 GBP  available 12.50" in words
    assert "clearing → available" in words


async def test_a_wallet_is_shown_as_it_was_at_any_instant(run: Run, cases: Cases) -> None:
    await cases.deposit("u_1", "5.00")
    between = now()
    await asyncio.sleep(0.002)
    await cases.deposit("u_1", "7.50")

    then = (await run("wallet", "show", "u_1", "--at", format_time(between), "--json")).json()

    (wallet,) = then["wallets"]
    assert (wallet["available"], wallet["version"], len(wallet["entries"])) == ("5.00", 1, 1)
    with pytest.raises(NotFound, match="has no wallet at"):
        await run("wallet", "show", "u_1", "--at", format_time(between - timedelta(days=1)))
    with pytest.raises(NotFound):
        await run("wallet", "show", "nobody")
    assert (await run("wallet", "show", "u_1", "--at", "2026-01-01T00:00:00")).code == 2


async def test_verify_prints_the_contracts_shape_and_exits_5_on_a_fault(
    run: Run, cases: Cases, owner: Pool
) -> None:
    await cases.deposit("u_1", "5.00")
    sound = await run("verify", "--json")
    await owner.execute("UPDATE wallets SET available = available + 1")
    broken = await run("verify", "--json")
    words = await run("verify")

    assert (sound.code, sound.json()) == (
        0,
        {
            "ok": True,
            "postings": 1,
            "wallets": 1,
            "deliveries": 0,
            "sealed_until": None,
            "faults": [],
            "seals": 0,
            "sealed_rows": 0,
            "signatures": "none",
            "last_seal": None,
            "unsealed": sound.json()["unsealed"],
            "certain_before": None,
            "warnings": [],
        },
    )
    assert (broken.code, broken.json()["ok"]) == (5, False)
    assert sound.json()["unsealed"]["rows"] == 1
    (fault,) = broken.json()["faults"]
    assert (fault["check"], fault["user_id"], fault["currency"]) == ("wallet", "u_1", "GBP")
    assert (words.code, "u_1" in words.out.decode()) == (5, True)


async def test_a_key_is_shown_once_and_opens_what_its_scopes_say(run: Run, pool: Pool) -> None:
    made = await run(
        *("keys", "create", "--name", "ops", "--scope", "read:wallet"),
        *("--scope", "write:bet", "--json"),
    )
    listed = await run("keys", "list", "--json")
    words = await run("keys", "list")

    told = made.json()
    assert list(told) == ["key_id", "key", "scopes", "expires_at"]
    assert told["scopes"] == ["read:wallet", "write:bet"]
    lasts = (now() + timedelta(days=90)).date().isoformat()
    assert told["expires_at"].startswith(lasts)
    principal = await Keys(pool).authenticate(f"Bearer {told['key']}")
    assert (principal.principal_id, principal.key_id, principal.scopes) == (
        "ops",
        told["key_id"],
        frozenset({"read:wallet", "write:bet"}),
    )
    assert [one["key_id"] for one in listed.json()] == [told["key_id"]]
    assert told["key_id"] in words.out.decode()
    for shown in (listed, words):
        assert told["key"] not in shown.out.decode()


async def test_a_key_made_for_people_stands_alone_on_stdout(run: Run) -> None:
    made = await run("keys", "create", "--name", "ops", "--scope", "read:bet", "--expires", "never")

    assert made.out.decode().strip().startswith("rk_")
    assert len(made.out.split()) == 1


async def test_a_key_without_a_name_is_a_caller_of_its_own(run: Run, pool: Pool) -> None:
    scopes = "read:bet,write:bet"
    made = [(await run("keys", "create", "--scope", scopes, "--json")).json() for _ in range(3)]

    assert made[0]["scopes"] == ["read:bet", "write:bet"]
    keys = Keys(pool)
    callers = [await keys.authenticate(f"Bearer {one['key']}") for one in made]
    assert len({caller.principal_id for caller in callers}) == 3


async def test_a_revoked_key_opens_nothing(run: Run, pool: Pool) -> None:
    made = (await run("keys", "create", "--name", "ops", "--scope", "read:bet", "--json")).json()

    revoked = await run("keys", "revoke", made["key_id"])

    assert revoked.code == 0
    with pytest.raises(Unauthentic, match="unknown, expired or revoked"):
        await Keys(pool).authenticate(f"Bearer {made['key']}")
    with pytest.raises(NotFound):
        await run("keys", "revoke", "key_nobody")


@pytest.mark.parametrize(
    "arguments",
    [
        ("keys", "create", "--name", "ops"),
        ("keys", "create", "--name", "ops", "--scope", "read:everything"),
        ("keys", "create", "--name", "ops", "--scope", "read:bet", "--expires", "soon"),
        ("keys", "create", "--name", "ops", "--scope", "read:bet", "--expires", "0s"),
        ("discrepancies", "list", "--status", "nonsense"),
        ("discrepancies", "export", "--format", "pdf"),
    ],
)
async def test_what_makes_no_sense_is_a_usage_error(run: Run, arguments: tuple[str, ...]) -> None:
    assert (await run(*arguments)).code == 2
