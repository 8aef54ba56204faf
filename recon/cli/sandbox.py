"""``recon sandbox``: the game API and the PSPs, simulated, until it is interrupted."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

import click
from aiohttp import web

from recon.errors import ReconError
from recon.sandbox.app import build_app, settings_for
from recon.sandbox.faults import KINDS
from recon.sandbox.options import SandboxOptions
from recon.sandbox.stream import STREAM_FAULTS

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable

__all__ = ["sandbox"]

_DRAIN_S: Final = 2.0
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class _Multiplier(click.ParamType[Decimal]):
    """A decimal such as 10.00, never a binary float."""

    name = "multiplier"

    def convert(
        self, value: str | Decimal, param: click.Parameter | None, ctx: click.Context | None
    ) -> Decimal:
        """Read the text."""
        try:
            return Decimal(value)
        except InvalidOperation:
            self.fail(f"{value!r} is not a decimal such as 10.00", param, ctx)


@click.command(
    epilog="Faults: " + ", ".join([*KINDS, *STREAM_FAULTS]) + ". Example: --fault answer_lost=0.05"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen.")
@click.option("--port", default=8800, show_default=True, help="0: any that is free.")
@click.option("--seed", default=1, show_default=True, help="Crash points, keys and faults follow.")
@click.option("--service-url", help="Where recon listens; PSP webhooks go to its /webhooks/….")
@click.option("--fault", "faults", multiple=True, metavar="KIND=RATE", help="Repeatable; 0 to 1.")
@click.option("--rate-limit", default=5000, show_default=True, help="Calls a second and API key.")
@click.option("--betting", "betting_s", default=2.0, show_default=True, help="Seconds.")
@click.option("--max-active", "max_active_s", default=6.0, show_default=True, help="Seconds.")
@click.option("--crashed", "crashed_s", default=0.3, show_default=True, help="Seconds.")
@click.option("--payout", "payout_s", default=0.5, show_default=True, help="Seconds.")
@click.option(
    "--cap",
    "cap_multiplier",
    type=_Multiplier(),
    default="10.00",
    show_default=True,
    help="The multiplier at the end of --max-active.",
)
@click.option("--hold-ttl", "hold_ttl_s", default=5.0, show_default=True, help="Seconds.")
@click.option(
    "--latency", "latency_s", default=0.0, show_default=True, help="Seconds, of each answer."
)
@click.option("--json", "as_json", is_flag=True, help="One line of JSON instead of settings.")
def sandbox(
    *,
    host: str,
    port: int,
    faults: tuple[str, ...],
    as_json: bool,
    **switches: Any,  # noqa: ANN401 - every switch has its option's type
) -> None:
    """Simulate the game API and the PSPs. All state lives in memory and ends with the process.

    Prints the settings with which `recon serve` talks to it, then runs until it is interrupted.
    """
    try:
        options = SandboxOptions(
            fault_rates=_rates(faults),
            payout_delay_s=min(0.2, switches["payout_s"]),
            **switches,
        )
        app = build_app(options)
    except ReconError as error:
        raise click.UsageError(error.message) from None
    if host not in _LOOPBACK:
        click.echo("warning: /sandbox asks for no key; listen on loopback", err=True)
    try:
        _run(_serve(app, host, port, options, as_json=as_json))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {host}:{port}: {error.strerror}") from None


def _rates(faults: Iterable[str]) -> dict[str, float]:
    rates: dict[str, float] = {}
    for fault in faults:
        kind, sign, rate = fault.partition("=")
        try:
            rates[kind] = float(rate if sign else "1")
        except ValueError:
            raise click.UsageError(f"--fault {fault}: write KIND=RATE, e.g. {kind}=0.1") from None
    return rates


def _run(serving: Coroutine[None, None, None]) -> None:
    if sys.platform == "win32":
        asyncio.run(serving)
    else:
        import uvloop  # noqa: PLC0415 - there is none on Windows

        uvloop.run(serving)


async def _serve(
    app: web.Application, host: str, port: int, options: SandboxOptions, *, as_json: bool
) -> None:
    """Listen, say where, and stop cleanly on SIGINT or SIGTERM."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=_DRAIN_S)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        bound = runner.addresses[0]
        shown = f"[{host}]" if ":" in host else host
        _announce(f"http://{shown}:{bound[1]}", options.seed, as_json=as_json)
        await stop.wait()
    finally:
        await runner.cleanup()


def _announce(url: str, seed: int, *, as_json: bool) -> None:
    settings = settings_for(url, seed)
    if as_json:
        line = json.dumps({"url": url, "seed": seed, "state": "memory", "settings": settings})
        click.echo(line)
    else:
        for name, value in settings.items():
            click.echo(f"{name}={shlex.quote(value)}")
        click.echo(f"sandbox at {url}, seed {seed}; its state lives in memory only", err=True)
    sys.stdout.flush()
