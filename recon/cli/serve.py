"""``serve``: webhooks, the internal API and the pages, in one process or several."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import click
import structlog
import uvloop

from recon.app import build_app
from recon.cli.context import flags_of, settings_of
from recon.cli.log_alone import log_alone
from recon.cli.processes import COMMAND, REPLACED, Places, handed_down
from recon.cli.running import announce, told_to_end, traced
from recon.cli.terminal import hear_hang_ups
from recon.http.draining import finish_answers
from recon.http.health import READINESS
from recon.http.listening import Listener
from recon.http.server import collect_seldom, make_runner
from recon.opening import open_database_url, seal_keys_of
from recon.seals.keys import key_file_of

if TYPE_CHECKING:
    from recon.http.health import Readiness
    from recon.settings import Settings

__all__ = ["serve"]

log = structlog.get_logger(__name__)

_CUT_S = 1.0
"""For calls that are cut to notice it, before the database goes."""


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
    """Serve webhooks, the internal API and the pages, and run the jobs.

    SIGTERM, SIGINT and, of a single process, SIGHUP end it once what is under way is answered. With
    several processes, SIGHUP replaces them one after the other, so that they read anew what is set
    in files, and no call is lost; one that ends by itself is started again. The end of the terminal
    ends all of them as SIGTERM does, unless they were begun with `nohup`.
    """
    with log_alone():
        settings = settings_of(ctx)
        if processes == 1:
            with traced(settings):
                uvloop.run(_serve(settings, host, port, jobs=not no_jobs, as_json=as_json))
            return
        command = [*COMMAND, "serve", "--json", "--host", host] + (["--no-jobs"] if no_jobs else [])
        # Whatever else is set, the children read for themselves, again whenever they are replaced.
        said = {f"RECON_{name.upper()}": str(value) for name, value in flags_of(ctx).items()}
        places = Places(host, port, processes, command)
        asyncio.run(_serve_many(settings, places, said, as_json=as_json))


async def _serve(settings: Settings, host: str, port: int, *, jobs: bool, as_json: bool) -> None:
    sockets = handed_down()
    told = told_to_end(REPLACED if sockets else signal.SIGHUP)
    if sockets:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # our parent's, who replaces us
    async with open_database_url(settings) as url:
        app = build_app(settings, url, jobs=jobs)
        runner = make_runner(app, shutdown_timeout_s=_CUT_S)
        await runner.setup()
        collect_seldom()
        try:
            listener = Listener.of(runner, sockets) if sockets else Listener.at(runner, host, port)
            await listener.open()
            within_s = settings.ends_within.total_seconds() if sockets else None
            announce(host, listener.port, as_json=as_json, ends_within_s=within_s)
            await _end(settings, app[READINESS], listener, await told)
            await finish_answers(runner, settings.drain_timeout.total_seconds())
        finally:
            await runner.cleanup()
    log.info("stopped")


async def _end(
    settings: Settings, readiness: Readiness, listener: Listener, by: signal.Signals
) -> None:
    """Let nobody in any more, in such a way that nobody is refused."""
    log.info("draining", signal=by.name)
    if by is REPLACED:
        # Others serve at the same address, which stays ready. Who is connected here is told to
        # connect anew.
        readiness.is_replaced = True
        await listener.leave()
        await asyncio.sleep(settings.drain_notice.total_seconds())
    else:
        # Unready first, so that who asks sends no more.
        readiness.draining = True
        await asyncio.sleep(settings.drain_notice.total_seconds())
        await listener.close()


async def _serve_many(
    settings: Settings, places: Places, flags: dict[str, str], *, as_json: bool
) -> None:
    """Run N processes behind one port; SIGHUP replaces them one after the other.

    The end of the terminal that they were begun in is a SIGHUP too, and ends them.
    """
    stop, renew = asyncio.Event(), asyncio.Event()

    def hung_up() -> None:
        # Said twice where a shell passes on what the kernel says as well.
        if not stop.is_set():
            log.info("terminal_gone")
        stop.set()

    told_to_end().add_done_callback(lambda _: stop.set())
    hear_hang_ups(hung_up=hung_up, asked=renew.set)
    async with open_database_url(settings) as url:
        environment = {**os.environ, **flags}
        if settings.database_url is None:
            # Ours to start; theirs to use, with the keys that lie beside it.
            environment["RECON_DATABASE_URL"] = url
            if not settings.seal_keys:
                seal_keys_of(settings)
                keys = key_file_of(settings.data_dir.resolve())
                environment["RECON_SEAL_KEYS_FILE"] = str(keys)
        if environment.get("RECON_DATABASE_URL") != os.environ.get("RECON_DATABASE_URL"):
            environment.pop("RECON_DATABASE_URL_FILE", None)
        await places.run(
            environment,
            stop=stop,
            renew=renew,
            ready=lambda port: announce(places.host, port, as_json=as_json),
        )
