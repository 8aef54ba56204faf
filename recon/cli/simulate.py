"""``recon simulate``: the bets and the reconciliation in virtual time, whatever the weather."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Final

import click
import msgspec

from recon.cli.console import configure_logging
from recon.cli.context import console, flags_of, print_json, progress_console, run_async
from recon.db.embedded import embedded_postgres_sync, remove_embedded
from recon.simulation import Databases, Report, simulate_seed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

__all__ = ["simulate"]

_EXIT_FAILED: Final = 1

_QUICK: Final = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""What a simulation writes need not outlive a power cut."""


class _Outcome(msgspec.Struct, frozen=True):
    """Every run; ``seeds_per_s`` without the start of Postgres; ``faults`` by kind."""

    ok: bool
    seeds: int
    steps: int
    seeds_per_s: float
    faults: dict[str, int]
    failed_seeds: list[int]
    runs: list[Report]


@click.command()
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="The first one.")
@click.option(
    "--seeds", "count", default=1, show_default=True, type=click.IntRange(1), help="How many."
)
@click.option("--steps", default=200, show_default=True, type=click.IntRange(1), help="Of each.")
@click.option(
    "--trace",
    "trace_file",
    type=click.File("w", encoding="utf-8"),
    help="Write every event here, one a line; two runs of a seed write the same.",
)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def simulate(
    ctx: click.Context,
    seed: int,
    count: int,
    steps: int,
    trace_file: TextIO | None,
    *,
    as_json: bool,
) -> None:
    """Play bets in virtual time, with every fault there is, and prove that no money went astray.

    The real code of the bets, the resolver, the stream, the webhooks and the reconciliation runs in
    three processes on a Postgres of its own, never on a configured one, against a simulated game
    and PSP: what is sent is lost, late and doubled, connections break, the game restarts and
    cancels rounds, callers go away, processes die. Then the faults stop, and everything must come
    to rest: no stake taken twice, none lost, nothing left on hold, both books alike, the books
    proved, and no discrepancy shown that was none. Everything follows from the seed: the same seed
    and steps replay the same run, event by event.

    Exits 0 when every seed held, 1 when one did not; its seed is printed.
    """
    configure_logging(str(flags_of(ctx).get("log_level", "critical")))
    reports = []
    with _ended_by_signals() as end_if_told, _databases() as databases:
        began_s = time.monotonic()
        for one in range(seed, seed + count):
            report = simulate_seed(
                databases, one, steps, show=_writer(trace_file), each_turn=end_if_told
            )
            reports.append(report)
            if not as_json:
                _say(report)
        took_s = time.monotonic() - began_s
    failed = [report.seed for report in reports if not report.ok]
    outcome = _Outcome(
        ok=not failed,
        seeds=count,
        steps=steps,
        seeds_per_s=round(count / took_s, 2),
        faults=dict(sum((Counter(report.faults) for report in reports), Counter())),
        failed_seeds=failed,
        runs=reports,
    )
    if as_json:
        print_json(outcome)
    else:
        _conclude(outcome)
    if failed:
        ctx.exit(_EXIT_FAILED)


def _writer(file: TextIO | None) -> Callable[[str], None] | None:
    if file is None:
        return None

    def write(line: str) -> None:
        file.write(f"{line}\n")

    return write


@contextmanager
def _databases() -> Iterator[Databases]:
    home = Path(tempfile.mkdtemp(prefix="recon-simulation-"))
    # Passable, so that as root the server's user reaches its data there and leaves none elsewhere.
    home.chmod(0o755)
    data = home / "data"
    with ExitStack() as leaving:
        leaving.callback(shutil.rmtree, home, ignore_errors=True)
        leaving.callback(lambda: run_async(remove_embedded(data)))
        progress_console.print("Starting a Postgres of its own …")
        server = leaving.enter_context(embedded_postgres_sync(data, settings=_QUICK))
        databases = leaving.enter_context(Databases(server))
        databases.prepare()
        yield databases


@contextmanager
def _ended_by_signals() -> Iterator[Callable[[], None]]:
    """SIGTERM ends it as SIGINT does: once, where it is safe, with everything cleared away.

    A signal only leaves word: an interrupt that strikes inside of an extension is swallowed there,
    or takes the process with it. What this gives raises ``KeyboardInterrupt`` once word was left.
    """
    told = Event()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def end_if_told() -> None:
        if told.is_set():
            told.clear()  # what clears away turns the loop too
            raise KeyboardInterrupt

    def tell(*_: object) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        told.set()

    before = {number: signal.signal(number, tell) for number in numbers}
    try:
        yield end_if_told
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(report: Report) -> None:
    console.print(
        f"seed {report.seed}: {'ok' if report.ok else 'BROKEN'}, trace {report.trace[:16]}, "
        f"{report.virtual_s:.0f} s in {report.took_s:.1f} s, {report.counts.get('call', 0)} calls, "
        f"{report.statements} statements, {sum(report.faults.values())} faults",
        style="green" if report.ok else "bold red",
        highlight=False,
        soft_wrap=True,
    )
    for failure in report.failures:
        console.print(f"  • {failure}", markup=False, highlight=False, soft_wrap=True)
    if not report.ok:
        console.print(f"  weather: {report.weather}", markup=False, highlight=False, soft_wrap=True)


def _conclude(outcome: _Outcome) -> None:
    struck = ", ".join(f"{kind} {times}" for kind, times in outcome.faults.items())
    console.print(f"Faults: {struck or 'none'}.", highlight=False, soft_wrap=True)
    console.print(
        f"{outcome.seeds} seeds of {outcome.steps} steps, {len(outcome.failed_seeds)} broken, "
        f"{outcome.seeds_per_s} seeds/s.",
        style="bold red" if outcome.failed_seeds else "bold green",
        highlight=False,
    )
    for seed in outcome.failed_seeds:
        replay = f"recon simulate --seed {seed} --steps {outcome.steps} --trace trace.txt"
        console.print(f"Replay: {replay}", highlight=False, soft_wrap=True)
