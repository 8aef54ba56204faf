"""The command line: ``recon``, a file per group of verbs."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import click

from recon import __version__
from recon.cli.console import configure_logging, progress_console
from recon.errors import ReconError
from recon.settings import ConfigurationError

__all__ = ["main", "recon"]

_EXIT_FAILED = 1
_EXIT_USAGE = 2
_EXIT_INTERRUPTED = 130


# Each command is imported when it is asked for: a short one should not wait for the whole house.
_COMMANDS = {
    "alerts": "alerts",
    "bets": "bets",
    "cases": "cases",
    "config": "config",
    "demo": "demo",
    "discrepancies": "discrepancies",
    "doctor": "config",
    "healthcheck": "healthcheck",
    "keys": "keys",
    "migrate": "migrate",
    "reconcile": "reconcile",
    "sandbox": "sandbox",
    "seal": "seal",
    "serve": "serve",
    "settlements": "settlements",
    "simulate": "simulate",
    "users": "users",
    "verify": "verify",
    "wallet": "wallet",
    "webhooks": "webhooks",
    "worker": "serve",
}


class _Commands(click.Group):
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
        module = import_module(f"recon.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = getattr(module, cmd_name)
        return command


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
    except ConfigurationError as error:
        progress_console.print("[bold red]The settings cannot be used:[/]")
        for fault in error.message.splitlines():
            progress_console.print(f"  • {fault}", markup=False)
        code = _EXIT_USAGE
    except ReconError as error:
        progress_console.print(f"{error.code}: {error.message}", style="red", markup=False)
        code = _EXIT_USAGE if error.code == ConfigurationError.code else _EXIT_FAILED
    except (KeyboardInterrupt, click.Abort):
        code = _EXIT_INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
