"""The sandbox put together: the game, the PSPs and the control surface in one application."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.sandbox import bet_calls, control, game_calls, portal, psp
from recon.sandbox.accounts import GameBackend
from recon.sandbox.betting import Book
from recon.sandbox.call import Policy
from recon.sandbox.engine import CrashEngine
from recon.sandbox.faults import Faults
from recon.sandbox.gate import API_PREFIX, guarded, problems
from recon.sandbox.idempotency import IdempotencyStore
from recon.sandbox.keys import KeyRing, first_api_key, first_signing_secret
from recon.sandbox.limits import RateLimit
from recon.sandbox.parts import SANDBOX, Lifecycle, Sandbox
from recon.sandbox.settling import Settlement
from recon.sandbox.signing import SignatureCheck
from recon.sandbox.stream import STREAM_FAULTS, StreamHub
from recon.sandbox.stream_session import stream
from recon.sandbox.timeline import Timeline, WallClock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.sandbox.options import SandboxOptions
    from recon.sandbox.timeline import Clock

__all__ = ["build_app", "settings_for"]

_GAME: Final = Policy(scope="read:game_state")
_BALANCE: Final = Policy(scope="read:balance", user=True)
_ASKING: Final = Policy(scope="read:bet", user=True, faulty=True)
_BETTING: Final = Policy(scope="write:bet", user=True, signed=True, faulty=True)


def build_app(options: SandboxOptions, *, clock: Clock | None = None) -> web.Application:
    """Compose a sandbox; rounds start when the application does.

    Serve it with ``auto_decompress=False``, so that what is signed is what arrived.

    Args:
        options: the switches.
        clock: the machine's own unless a test turns time by hand.

    Raises:
        Invalid: ``unknown_fault`` or ``invalid_rate`` in ``options.fault_rates``.
    """
    sandbox = _assemble(options, clock or WallClock())
    app = web.Application(middlewares=[problems])
    app[SANDBOX] = sandbox
    app.router.add_routes(_game_routes())
    app.router.add_routes(control.routes())
    app.router.add_routes(portal.routes())
    psp.install(
        app,
        backend=sandbox.backend,
        faults=sandbox.faults,
        seed=options.seed,
        service_url=options.service_url,
    )
    app.cleanup_ctx.append(_rounds)
    app.on_shutdown.append(_close_streams)
    return app


def settings_for(url: str, seed: int) -> dict[str, str]:
    """The settings with which the service talks to a sandbox.

    Args:
        url: where the sandbox listens.
        seed: its seed; keys and secrets follow from it.
    """
    return {
        "RECON_GAME_URL": url,
        "RECON_GAME_API_KEY": first_api_key(seed),
        "RECON_GAME_SIGNING_SECRET": first_signing_secret(seed),
        **psp.settings_lines(seed, base_url=url),
    }


def _assemble(options: SandboxOptions, clock: Clock) -> Sandbox:
    of_stream = {k: r for k, r in options.fault_rates.items() if k in STREAM_FAULTS}
    faults = Faults(
        options.seed, {k: r for k, r in options.fault_rates.items() if k not in of_stream}
    )
    timeline = Timeline(clock)
    backend = GameBackend(clock)
    engine = CrashEngine(options, timeline)
    book = Book(options, timeline, engine, backend)
    # The settlement listens before the hub does: a round's news finds its bets already settled.
    settlement = Settlement(book, faults)
    hub = StreamHub(options.seed, clock, engine)
    for kind, rate in of_stream.items():
        hub.set_rate(kind, rate)
    book.changed = hub.changed
    return Sandbox(
        options=options,
        timeline=timeline,
        faults=faults,
        backend=backend,
        engine=engine,
        book=book,
        settlement=settlement,
        keys=KeyRing(options.seed, clock),
        limits=RateLimit(options, clock),
        signatures=SignatureCheck(options, clock),
        idempotency=IdempotencyStore(options, clock),
        hub=hub,
        lifecycle=Lifecycle(options.api_version, options.deprecated_at, options.sunset_at),
        started_at=clock.now(),
    )


def _game_routes() -> list[web.RouteDef]:
    api = API_PREFIX.rstrip("/")
    return [
        web.get(f"{api}/game/state", guarded(_GAME, game_calls.state)),
        web.get(f"{api}/game/rounds", guarded(_GAME, game_calls.past_rounds)),
        web.get(f"{api}/game/rounds/{{round_id}}", guarded(_GAME, game_calls.one_round)),
        web.get(f"{api}/user/balance", guarded(_BALANCE, game_calls.balance)),
        web.post(f"{api}/bets/holds", guarded(_BETTING, bet_calls.new_hold)),
        web.post(
            f"{api}/bets/holds/{{hold_id}}/confirm", guarded(_BETTING, bet_calls.confirm_hold)
        ),
        web.post(
            f"{api}/bets/holds/{{hold_id}}/release", guarded(_BETTING, bet_calls.release_hold)
        ),
        web.post(f"{api}/bets/{{ticket_id}}/cashout", guarded(_BETTING, bet_calls.cash_out)),
        web.get(f"{api}/bets", guarded(_ASKING, bet_calls.asked_by_key)),
        web.get(f"{api}/bets/{{ticket_id}}", guarded(_ASKING, bet_calls.asked_bet)),
        web.get(f"{api}/payouts/{{transaction_id}}", guarded(_ASKING, bet_calls.asked_payout)),
        web.get(f"{api}/stream", stream),
    ]


async def _rounds(app: web.Application) -> AsyncIterator[None]:
    """Run the rounds while the application runs."""
    sandbox = app[SANDBOX]
    sandbox.engine.start()
    running = asyncio.create_task(_run(sandbox))
    yield
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def _run(sandbox: Sandbox) -> None:
    """Let the timeline catch up in time for whoever listens; callers do it for themselves."""
    tick_s = sandbox.options.tick_s
    while True:
        reached = sandbox.timeline.catch_up()
        sandbox.hub.tick(reached)
        due = sandbox.timeline.next_due()
        await asyncio.sleep(tick_s if due is None else max(0.0, min(tick_s, due - reached)))


async def _close_streams(app: web.Application) -> None:
    sessions = list(app[SANDBOX].sessions)
    await asyncio.gather(*(session.close() for session in sessions), return_exceptions=True)
