"""The command: raise the stage, let them play, reconcile twice, compare with what was planted."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click
import msgspec
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from recon.cli.context import console, print_json, progress_console, settings_of
from recon.cli.demo.players import Counts, play
from recon.cli.demo.report import Planted, Report, compare, print_report
from recon.cli.demo.stage import Stage, raise_stage
from recon.clock import now
from recon.errors import Unavailable
from recon.reconciliation.views import DiscrepancyView, RunView
from recon.seals import verify_all
from recon.web import Role, add_staff, create_sign_in_link

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["demo", "reconcile", "settle"]

_EXIT_DIFFERS = 1
_EXIT_INTERRUPTED = 130

_GRACE = timedelta(seconds=3)
_FAULTS = {
    "webhook_lost": 0.03,
    "webhook_wrong_amount": 0.03,
    "game_update_lost": 0.03,
    "game_update_doubled": 0.03,
    "webhook_doubled": 0.08,
    "webhook_late": 0.05,
    "webhook_reordered": 0.08,
    "webhook_bad_signature": 0.05,
    "webhook_answer_lost": 0.05,
    "webhook_missed": 0.05,
    "payout_lost": 0.05,
    "answer_lost": 0.04,
    "answer_429": 0.01,
    "answer_500": 0.02,
    "answer_503": 0.02,
    "answer_slow": 0.03,
}
_SETTLE_S = 120.0
_RUN_S = 300.0


@dataclass(frozen=True, slots=True)
class _Wish:
    users: int
    duration_s: float
    seed: int
    leave: bool
    as_json: bool


@click.command()
@click.option("--users", default=40, show_default=True, type=click.IntRange(8, 2000))
@click.option("--duration", default=30, show_default=True, help="Seconds of play.")
@click.option("--seed", default=1, show_default=True)
@click.option("--exit", "leave", is_flag=True, help="Leave when done; do not keep the pages up.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def demo(
    ctx: click.Context, users: int, duration: int, seed: int, *, leave: bool, as_json: bool
) -> None:
    """Show the main job on this machine: everything is started, faulted, reconciled and compared.

    Exits 0 when every planted fault was found, nothing was falsely reported and the books verify.
    """
    wish = _Wish(users, duration, seed, leave, as_json)
    ctx.exit(asyncio.run(_demo(settings_of(ctx).data_dir, wish)))


async def _demo(data_dir: Path, wish: _Wish) -> int:
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        return await _perform(data_dir, wish)
    except asyncio.CancelledError:
        return _EXIT_INTERRUPTED


async def _perform(data_dir: Path, wish: _Wish) -> int:
    started = time.monotonic()
    progress = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        TimeElapsedColumn(),
        console=progress_console,
    )
    with progress:
        step = progress.add_task("Starting Postgres, the sandbox and the service", total=None)
        async with raise_stage(data_dir, seed=wish.seed, grace=_GRACE, faults=_FAULTS) as stage:
            report = await _show(stage, wish, progress, step)
            took_s = time.monotonic() - started
            progress.stop()
            if wish.as_json:
                print_json(report)
            else:
                print_report(console, report, took_s=took_s)
            if not wish.leave:
                await _keep_pages_up(stage)
    return 0 if report.ok else _EXIT_DIFFERS


async def _show(stage: Stage, wish: _Wish, progress: Progress, step: Any) -> Report:  # noqa: ANN401 - rich's TaskID
    progress.update(step, description=f"{wish.users} players play, faults are planted", total=1)
    ticking = asyncio.create_task(_tick(progress, step, wish.duration_s))
    early = asyncio.create_task(_reconcile_midway(stage, wish.duration_s))
    counts = await play(stage, users=wish.users, duration_s=wish.duration_s, seed=wish.seed)
    ticking.cancel()
    await early
    progress.update(step, description="The last rounds and webhooks come home", total=None)
    await settle(stage)
    progress.update(step, description="Every wallet is compared with the game's")
    await reconcile(stage, "all")
    return await _report(stage, wish, counts)


async def _tick(progress: Progress, step: Any, duration_s: float) -> None:  # noqa: ANN401
    started = time.monotonic()
    while True:
        progress.update(step, completed=min((time.monotonic() - started) / duration_s, 1))
        await asyncio.sleep(0.2)


async def _reconcile_midway(stage: Stage, duration_s: float) -> None:
    """The first of the two runs, while everybody plays."""
    await asyncio.sleep(duration_s / 2)
    await reconcile(stage, "changed")


async def reconcile(stage: Stage, scope: str, *, within_s: float = _RUN_S) -> RunView:
    """Start a run and wait for its end.

    Raises:
        Unavailable: it does not end in time.
    """
    headers = {"Idempotency-Key": str(uuid4())}
    path = "/api/v1/reconciliation/runs"
    async with stage.service.post(path, json={"scope": scope}, headers=headers) as answer:
        answer.raise_for_status()
        run = msgspec.json.decode(await answer.read(), type=RunView)
    until = time.monotonic() + within_s
    while run.state == "running":
        if time.monotonic() > until:
            raise Unavailable(f"run {run.run_id} does not end", code="demo_failed")
        await asyncio.sleep(0.25)
        async with stage.service.get(f"{path}/{run.run_id}") as answer:
            answer.raise_for_status()
            run = msgspec.json.decode(await answer.read(), type=RunView)
    return run


async def settle(stage: Stage, *, within_s: float = _SETTLE_S) -> None:
    """Wait until no webhook is on its way or missed, and every bet has its outcome.

    Raises:
        Unavailable: it does not come to that in time.
    """
    async with stage.sandbox.post("/sandbox/psp/settle") as answer:
        answer.raise_for_status()
    until, sent = time.monotonic() + within_s, now()
    while not await stage.pool.fetchval(
        "SELECT EXISTS (SELECT FROM backfills WHERE listed_until > $1)", sent
    ):
        if time.monotonic() > until:
            raise Unavailable("the PSP's list of events is not read", code="demo_failed")
        await asyncio.sleep(0.2)
    while await stage.pool.fetchval(
        "SELECT EXISTS (SELECT FROM bets WHERE state IN ('placing', 'placed', 'cashing_out'))"
    ):
        if time.monotonic() > until:
            raise Unavailable("bets stay without an outcome", code="demo_failed")
        await asyncio.sleep(0.2)


async def _report(stage: Stage, wish: _Wish, counts: Counts) -> Report:
    if counts.errors:
        raise Unavailable(f"the service failed: {counts.errors[0]}", code="demo_failed")
    async with stage.sandbox.get("/sandbox/faults") as answer:
        answer.raise_for_status()
        listed = (await answer.json())["planted"]
    planted = msgspec.convert(listed, list[Planted])
    found = await _open_discrepancies(stage)
    missed, false = compare(planted, found)
    verified = await verify_all(stage.pool, stage.seal_keys)
    return Report(
        seed=wish.seed,
        planted=planted,
        found=found,
        missed=missed,
        false=false,
        absorbed=sum(fault.must_lead_to is None for fault in planted),
        deliveries=verified.deliveries,
        bets=await stage.pool.fetchval("SELECT count(*) FROM bets"),
        verify=verified,
    )


async def _open_discrepancies(stage: Stage) -> list[DiscrepancyView]:
    found: list[DiscrepancyView] = []
    query = {"status": "open", "limit": "200"}
    while True:
        async with stage.service.get("/api/v1/discrepancies", params=query) as answer:
            answer.raise_for_status()
            page = await answer.json()
        found += msgspec.convert(page["items"], list[DiscrepancyView])
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


async def _keep_pages_up(stage: Stage) -> None:
    await add_staff(stage.pool, name="demo", role=Role.APPROVER, password=None, actor="cli:demo")
    token = await create_sign_in_link(stage.pool, "demo", timedelta(hours=1))
    progress_console.print(f"\nThe pages: [link]{stage.service_url}[/link]")
    progress_console.print(f"Sign in once: [link]{stage.service_url}/sign-in/once/{token}[/link]")
    progress_console.print("Ctrl-C ends all of it.", style="dim")
    await asyncio.Event().wait()
