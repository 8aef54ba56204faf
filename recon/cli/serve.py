"""``serve`` and ``worker``: the service's processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click
import msgspec
import structlog
import uvloop
from aiohttp import web

from recon.app import build_app, open_game, run_worker
from recon.cli.context import progress_console, settings_of
from recon.db import open_pool
from recon.db.embedded.child import die_with_parent
from recon.game.watch import GameWatch
from recon.game.watching import watching
from recon.http.health import READINESS
from recon.http.server import collect_seldom, make_runner
from recon.opening import open_database_url, seal_keys_of
from recon.seals.keys import key_file_of

if TYPE_CHECKING:
    from recon.settings import Settings

__all__ = ["serve", "worker"]

log = structlog.get_logger(__name__)

_DRAIN_S = 12.0
_NOTICED_AFTER_S = 0.2
_SHARED_PORT = "_RECON_SHARED_PORT"


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", default=8080, show_default=True, help="0 takes any free one.")
@click.option("--processes", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--no-jobs", is_flag=True, help="HTTP only; `recon worker` runs the jobs.")
@click.option("--json", "as_json", is_flag=True, help='Say {"url": …} on stdout when ready.')
@click.pass_context
def serve(
    ctx: click.Context, host: str, port: int, processes: int, *, no_jobs: bool, as_json: bool
) -> None:
    """Serve webhooks, the internal API and the pages, and run the jobs."""
    settings = settings_of(ctx)
    if processes == 1:
        uvloop.run(_serve(settings, host, port, jobs=not no_jobs, as_json=as_json))
        return
    asyncio.run(_serve_many(settings, host, port, processes, jobs=not no_jobs, as_json=as_json))


@click.command()
@click.pass_context
def worker(ctx: click.Context) -> None:
    """Run the jobs alone."""
    uvloop.run(_work(settings_of(ctx)))


async def _serve(settings: Settings, host: str, port: int, *, jobs: bool, as_json: bool) -> None:
    stop = _on_signals()
    async with open_database_url(settings) as url:
        app = build_app(settings, url, jobs=jobs)
        runner = make_runner(app, shutdown_timeout_s=_DRAIN_S)
        await runner.setup()
        collect_seldom()
        try:
            site = web.TCPSite(runner, host, port, reuse_port=bool(os.environ.get(_SHARED_PORT)))
            await site.start()
            _announce(host, runner.addresses[0][1], as_json=as_json)
            await stop.wait()
            # Unready first, so that who asks sends no more; then what is under way is finished.
            app[READINESS].draining = True
            log.info("draining")
            await asyncio.sleep(_NOTICED_AFTER_S)
            # Nobody comes in any more; who did a moment ago has sent a call that is read first.
            await site.stop()
            await asyncio.sleep(_NOTICED_AFTER_S)
        finally:
            await runner.cleanup()
    log.info("stopped")


async def _serve_many(
    settings: Settings, host: str, port: int, processes: int, *, jobs: bool, as_json: bool
) -> None:
    """Run N processes behind one port; the kernel spreads the connections."""
    stop = _on_signals()
    async with open_database_url(settings) as url:
        # Held open, not listening: it keeps the port ours and tells which one it is.
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as keeper:
            keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            keeper.bind((host, port))
            taken = keeper.getsockname()[1]
            command = [sys.executable, "-m", "recon", "serve", "--json"]
            command += ["--host", host, "--port", str(taken)] + ([] if jobs else ["--no-jobs"])
            # What flags said, and the database that is ours to start, as the children read them.
            environment = {
                **os.environ,
                "RECON_DATABASE_URL": url,
                "RECON_DATA_DIR": str(settings.data_dir),
                "RECON_LOG_LEVEL": settings.log_level,
                _SHARED_PORT: "1",
            }
            environment.pop("RECON_DATABASE_URL_FILE", None)
            if settings.database_url is None and not settings.seal_keys:
                seal_keys_of(settings)
                environment["RECON_SEAL_KEYS_FILE"] = str(key_file_of(settings.data_dir.resolve()))
            children = [
                await asyncio.create_subprocess_exec(
                    *command,
                    env=environment,
                    stdout=asyncio.subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is ours to pass on
                    preexec_fn=die_with_parent(),
                )
                for _ in range(processes)
            ]
            waiting = [asyncio.create_task(child.wait()) for child in children]
            stopping = asyncio.create_task(stop.wait())
            lines = await asyncio.gather(
                *(child.stdout.readline() for child in children if child.stdout is not None)
            )
            if all(lines):
                _announce(host, taken, as_json=as_json)
                await asyncio.wait([*waiting, stopping], return_when=asyncio.FIRST_COMPLETED)
            died = not stopping.done()
            for child in children:
                with suppress(ProcessLookupError):
                    child.send_signal(signal.SIGTERM)
            await asyncio.gather(*waiting)
            stopping.cancel()
    if died:
        raise click.ClickException("a process ended by itself; all were stopped")


def _announce(host: str, port: int, *, as_json: bool) -> None:
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    if as_json:
        click.echo(msgspec.json.encode({"url": url}))
        sys.stdout.flush()
    else:
        progress_console.print(f"recon serves {url}")


async def _work(settings: Settings) -> None:
    stop, watch = _on_signals(), GameWatch()
    async with (
        open_database_url(settings) as url,
        open_pool(url, max_size=settings.pool_size) as pool,
        open_game(settings, watch) as game,
        watching(pool, game, watch),
    ):
        working = asyncio.create_task(run_worker(settings, pool, game))
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


def _on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
