"""`recon --help` lists every command at once, and says of each what the command says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from recon import cli

CONTEXT = click.Context(cli.recon)
# The terminal's, the settings', the service's and the database's.
HEAVY = ("rich", "pydantic", "aiohttp", "asyncpg")


def test_every_command_is_listed_under_its_name_and_none_is_forgotten() -> None:
    listed = CliRunner().invoke(cli.recon, ["--help"], terminal_width=300).output

    commands = listed.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in commands] == cli.recon.list_commands(CONTEXT)
    modules = {path.stem for path in Path(cli.__file__).parent.glob("*.py")}
    assert {"serve", "webhooks", "verify"} <= set(cli.recon.list_commands(CONTEXT)) & modules


@pytest.mark.parametrize("name", cli.recon.list_commands(CONTEXT))
def test_the_list_says_what_the_command_says_of_itself(name: str) -> None:
    command = cli.recon.get_command(CONTEXT, name)
    listed = CliRunner().invoke(cli.recon, ["--help"], terminal_width=300).output

    assert command is not None
    assert f"  {name} " in listed
    assert command.get_short_help_str(limit=200) in listed


def test_no_sentence_is_cut_at_the_end_of_a_line_of_any_list_of_commands() -> None:
    for name in (None, *cli.recon.list_commands(CONTEXT)):
        asked = [name, "--help"] if name else ["--help"]
        listed = CliRunner().invoke(cli.recon, asked, terminal_width=80).output
        assert "..." not in listed.partition("Commands:\n")[2], name

    verify = "every balance from its postings, every movement by its posting."
    assert verify in " ".join(CliRunner().invoke(cli.recon, ["--help"]).output.split())


def test_the_columns_of_a_plain_settlement_file_stand_one_below_the_other() -> None:
    listed = CliRunner().invoke(cli.recon, ["settlements", "import", "--help"]).output

    assert "    payment_id, reference   one of the two: the PSP's id, or ours\n" in listed
    assert "    amount, currency        decimal, above zero; ISO 4217\n" in listed


def test_help_waits_for_nothing_that_a_command_needs() -> None:
    ask = "import sys; from recon.cli import main; sys.argv = ['recon', '--help']; "
    count = f"print(sorted(set({HEAVY}) & sys.modules.keys()), file=sys.stderr)"
    done = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", f"{ask}\ntry: main()\nfinally: {count}"],
        capture_output=True,
        check=True,
        text=True,
    )

    assert "Commands:" in done.stdout
    assert done.stderr == "[]\n"
