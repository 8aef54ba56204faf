"""The command line: ``recon``, a file per group of verbs."""

from __future__ import annotations

import gc
import sys
from importlib import import_module
from pathlib import Path

import click

from recon import __version__
from recon.cli.verbs import Verbs
from recon.errors import ReconError

__all__ = ["main", "recon"]

_EXIT_FAILED = 1
_EXIT_INTERRUPTED = 130


# Each command is imported when it is asked for: a short one should not wait for the whole house,
# and a list of them for nothing of it.
_COMMANDS = {
    "alerts": ("alerts", "What people were told, and by which way."),
    "bets": ("bets", "Bets that no answer of the game settles, and what people rule of them."),
    "cases": ("cases", "What people must look at besides differences of balances."),
    "config": ("config", "The settings."),
    "demo": (
        "demo",
        (
            "Show the main job on this machine: everything is started, faulted, reconciled and "
            "compared."
        ),
    ),
    "discrepancies": ("discrepancies", "Where the ledger and the game do not agree."),
    "doctor": ("config", "Say what is wrong with this set-up; exits 5 when something is."),
    "erase": ("erase", "Take away every payload that a PSP has sent about a player's payments."),
    "healthcheck": (
        "healthcheck",
        "Exit 0 when a service answers here; for a container's HEALTHCHECK.",
    ),
    "keys": ("keys", "API keys of internal callers; only a hash of each is stored."),
    "migrate": ("migrate", "Bring the schema up to this version, or say where it is."),
    "reconcile": ("reconcile", "Compare the ledger with the game now."),
    "sandbox": ("sandbox", "Simulate the game API and the PSPs."),
    "seal": ("seal", "Link and seal every row that was committed before now."),
    "serve": ("serve", "Serve webhooks, the internal API and the pages, and run the jobs."),
    "settlements": (
        "settlements",
        "Files in which a PSP says what it has settled, against what is booked here.",
    ),
    "simulate": (
        "simulate",
        (
            "Play bets in virtual time, with every fault there is, and prove that no money went "
            "astray."
        ),
    ),
    "users": ("users", "Finance staff, who sign in to the pages."),
    "verify": (
        "verify",
        "Prove the books: every balance from its postings, every movement by its posting.",
    ),
    "wallet": ("wallet", "A player's wallets."),
    "webhooks": ("webhooks", "The inbox of PSP deliveries."),
    "worker": ("worker", "Run the jobs alone."),
}
"""The module of each command, and what its help begins with."""


class _Commands(Verbs):
    """The table above as a group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Their names, sorted."""
        del ctx
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them, imported now."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        # What is imported stays: to look for garbage in it takes a tenth of the time.
        gc.disable()
        try:
            module = import_module(f"recon.cli.{_COMMANDS[cmd_name][0]}")
        finally:
            gc.enable()
        command: click.Command = getattr(module, cmd_name)
        return command

    def sentence_of(self, ctx: click.Context, name: str) -> str:
        """What the table says of it: no command is imported for the list."""
        del ctx
        return _COMMANDS[name][1]


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recon")
@click.option("--database-url", metavar="URL", help="PostgreSQL 15 or newer; default: embedded.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the embedded Postgres lives."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What is logged; default: info.",
)
def recon(database_url: str | None, data_dir: Path | None, log_level: str | None) -> None:
    """Wallet reconciliation: PSP webhooks, a ledger, and the game's balances compared."""
    from recon.cli.console import configure_logging  # noqa: PLC0415 - `recon --help` needs none

    del database_url, data_dir  # read again by settings_of
    # For what is said before, or without, the settings; they may say otherwise.
    configure_logging(log_level or "info")


def main() -> None:
    """Run the command line; the exit codes are those of the service's contract."""
    try:
        code = recon.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ReconError as error:
        code = _refuse(error)
    except (KeyboardInterrupt, click.Abort):
        code = _EXIT_INTERRUPTED
    except Exception:  # noqa: BLE001 - whatever it is, it is logged
        code = _crash()
    sys.exit(code if isinstance(code, int) else 0)


def _crash() -> int:
    """Log it as the service does: masked, and without what the variables held; the exit code."""
    import structlog  # noqa: PLC0415 - `recon --help` needs none

    structlog.get_logger(__name__).exception("command_crashed")
    return _EXIT_FAILED


def _refuse(error: ReconError) -> int:
    """Say what went wrong; the exit code."""
    from recon.cli.console import progress_console  # noqa: PLC0415 - `recon --help` needs none
    from recon.cli.log_alone import exit_code_of  # noqa: PLC0415 - likewise
    from recon.settings import ConfigurationError  # noqa: PLC0415 - likewise

    if isinstance(error, ConfigurationError):
        progress_console.print("[bold red]The settings cannot be used:[/]")
        for fault in error.message.splitlines():
            progress_console.print(f"  • {fault}", markup=False)
        return exit_code_of(error)
    progress_console.print(f"{error.code}: {error.message}", style="red", markup=False)
    return exit_code_of(error)
