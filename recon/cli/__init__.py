"""The command line: ``recon``, a file per group of verbs."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from recon import __version__
from recon.cli.config import config, doctor
from recon.cli.context import configure_logging, progress_console
from recon.cli.demo import demo
from recon.cli.discrepancies import discrepancies
from recon.cli.keys import keys
from recon.cli.migrate import migrate
from recon.cli.reconcile import reconcile
from recon.cli.sandbox import sandbox
from recon.cli.serve import healthcheck, serve, worker
from recon.cli.users import users
from recon.cli.verify import verify
from recon.cli.wallet import wallet
from recon.cli.webhooks import webhooks
from recon.errors import ReconError
from recon.settings import ConfigurationError

__all__ = ["main", "recon"]

_EXIT_FAILED = 1
_EXIT_USAGE = 2
_EXIT_INTERRUPTED = 130


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="recon")
@click.option("--database-url", metavar="URL", help="PostgreSQL 15 or newer; default: embedded.")
@click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Where the embedded Postgres lives."
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    envvar="RECON_LOG_LEVEL",
    show_default=True,
)
def recon(database_url: str | None, data_dir: Path | None, log_level: str) -> None:
    """Wallet reconciliation: PSP webhooks, a ledger, and the game's balances compared."""
    del database_url, data_dir  # read again by settings_of
    configure_logging(log_level)


for command in (
    demo,
    serve,
    worker,
    sandbox,
    migrate,
    reconcile,
    discrepancies,
    wallet,
    webhooks,
    keys,
    users,
    verify,
    doctor,
    config,
    healthcheck,
):
    recon.add_command(command)


def main() -> None:
    """Run the command line; the exit codes are those of the service's contract."""
    try:
        code = recon.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        code = ended.exit_code
    except click.ClickException as error:
        error.show()
        code = _EXIT_USAGE
    except ConfigurationError as error:
        progress_console.print("[bold red]The settings cannot be used:[/]")
        for fault in error.message.splitlines():
            progress_console.print(f"  • {fault}", markup=False)
        code = _EXIT_USAGE
    except ReconError as error:
        progress_console.print(f"{error.code}: {error.message}", style="red", markup=False)
        code = _EXIT_FAILED
    except (KeyboardInterrupt, click.Abort):
        code = _EXIT_INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
