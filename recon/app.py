"""The composition root: the only module that knows every room."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, nullcontext, suppress
from secrets import token_urlsafe
from typing import TYPE_CHECKING

import structlog
from aiohttp import web

from recon import web as pages
from recon.alerting import alerting_of
from recon.alerts import ALERT_NUMBERS
from recon.bets import observe_attempt
from recon.bets.by_hand.handlers import routes as ruling_routes
from recon.bets.desk import DESK, Desk
from recon.bets.handlers import routes as bet_routes
from recon.bets.measure import BET_NUMBERS
from recon.db import POOL, Pool, open_pool
from recon.db.replica import REPLICA, Replica, open_replica, replica_numbers
from recon.db.schema import schema_head
from recon.game import Attempt, GameClient
from recon.game.handlers import GAME, GAME_WATCH, GameWatch
from recon.game.handlers import routes as game_routes
from recon.game.stream import (
    EVERYTHING,
    Backoff,
    Bulletin,
    StreamAddress,
    StreamWatch,
    heed,
    hold,
    listen,
)
from recon.game.transport import checked_base_url
from recon.game.watching import watching
from recon.http import health
from recon.http.authenticate import KEYS, Keys
from recon.http.health import CLOCK_NUMBERS, READINESS, Readiness, metrics_middleware
from recon.http.metrics import METRICS, Metrics
from recon.http.metrics import routes as metrics_routes
from recon.http.openapi import openapi_route
from recon.http.plain_text import plain_text_middleware
from recon.http.problems import problem_middleware
from recon.http.proxies import PROXIES, TrustedProxies
from recon.http.rate_limits import BETS, FAILURES, LIMITER, RateLimiter
from recon.http.reading import note_as_of
from recon.http.request_ids import request_id_middleware
from recon.http.security_headers import secure
from recon.http.seen_through import finish_calls
from recon.http.siblings import siblings_of
from recon.http.stored_requests import REQUESTS, Requests
from recon.http.uploads import UPLOADS, Uploads
from recon.jobs import run_until_cancelled
from recon.jobs.measure import JOB_NUMBERS
from recon.ledger.handlers import routes as ledger_routes
from recon.opening import account_of, seal_keys_of
from recon.payments import REGISTER, Overdue
from recon.payments.handlers import ENDPOINTS
from recon.payments.handlers import routes as payment_routes
from recon.payments.measure import PAYMENT_NUMBERS
from recon.reconciliation import Reconciler, RunScope
from recon.reconciliation.handlers import routes as reconciliation_routes
from recon.reconciliation.measure import DISCREPANCY_NUMBERS, SUSPECT_NUMBERS, run_numbers
from recon.reconciliation.review_handlers import routes as review_routes
from recon.reconciliation.send_export import PUBLIC_URL
from recon.schedule import Kept, Lookout, build_worker, settle_by_news
from recon.seals import Sealer, Verifier
from recon.seals.metrics import SEAL_NUMBERS
from recon.seals.verify import VERIFICATION_NUMBERS
from recon.settlements.handlers import IMPORTS, Imports
from recon.settlements.handlers import routes as settlement_routes
from recon.webhooks import DRAIN, INTAKE, Drain, build_endpoints, build_intake, register_payment
from recon.webhooks.backfill import build_api_accounts
from recon.webhooks.backfill.progress import backfill_numbers
from recon.webhooks.handlers import routes as webhook_routes
from recon.webhooks.inbox import CASE_NUMBERS, INBOX_NUMBERS
from recon.webhooks.redact import Retention

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Sequence
    from datetime import timedelta
    from typing import NoReturn

    from recon.db.numbers import DatabaseNumbers
    from recon.settings import Settings
    from recon.webhooks.backfill import ApiAccount

__all__ = [
    "api_accounts_of",
    "build_app",
    "build_watch",
    "numbers_of",
    "oidc_client_of",
    "open_game",
    "reconciler_of",
    "run_worker",
]

log = structlog.get_logger(__name__)

_API_WINDOW_S = 60
_FAILURE_QUOTA = 60
_LAST_CALLS_S = 5.0
_INTAKE_CONNECTIONS = 8
# Adyen has no notification that a payout has reached its bank.
_NEVER_SAY_PAID = frozenset({"adyen"})


def build_app(settings: Settings, database_url: str, *, jobs: bool) -> web.Application:
    """The HTTP service; no I/O happens before it starts.

    Serve it with ``auto_decompress=False``: a webhook is verified over the bytes that arrived.

    Args:
        settings: as read.
        database_url: of a migrated database.
        jobs: run the jobs in this process too.
    """
    app = web.Application(
        middlewares=[
            request_id_middleware,
            metrics_middleware,
            problem_middleware,
            *pages.page_middlewares,
            plain_text_middleware,
        ],
        client_max_size=2**20,
    )
    secure(app)
    app.on_response_prepare.append(note_as_of)
    app[PROXIES] = TrustedProxies(settings.trusted_proxies, header=settings.proxy_header)
    app[ENDPOINTS] = frozenset(settings.psp)
    app[REGISTER] = register_payment
    app[INTAKE] = build_intake(settings.psp)
    app[LIMITER] = RateLimiter(
        settings.api_quota, _API_WINDOW_S, wider={BETS: settings.api_quota_bets}
    )
    app[FAILURES] = RateLimiter(_FAILURE_QUOTA, _API_WINDOW_S)
    app[UPLOADS] = Uploads(settings.settlement_upload_mb * 2**20)
    app[IMPORTS] = Imports(
        {name: account_of(settings, name) for name in settings.psp},
        grace=settings.settlement_grace,
    )
    if settings.public_url is not None:
        app[PUBLIC_URL] = settings.public_url.rstrip("/")
    app[READINESS] = Readiness(schema_head())
    known = numbers_of(settings)
    if settings.replica_database_url is not None:
        known = (*known, replica_numbers(app))
    numbers = app[METRICS] = Metrics(known, siblings_of())
    app.cleanup_ctx.append(numbers.answering)
    watch = app[GAME_WATCH] = GameWatch()

    async def connections(app: web.Application) -> AsyncIterator[None]:
        async with (
            open_pool(database_url, max_size=settings.pool_size) as pool,
            # Of their own: pages and sweeps that take every other connection hold up no webhook.
            open_pool(
                database_url, max_size=_INTAKE_CONNECTIONS, application="recon-intake"
            ) as intake,
            _open_replica(settings, pool) as replica,
            open_game(settings, watch) as game,
            watching(pool, game, watch),
        ):
            app[POOL] = pool
            if replica is not None:
                app[REPLICA] = replica
            app[GAME] = game
            drain = app[DRAIN] = Drain(intake)
            desk = app[DESK] = Desk(pool)
            app[KEYS], app[REQUESTS] = Keys(pool), Requests(pool)
            working = asyncio.create_task(run_worker(settings, pool, game)) if jobs else None
            try:
                yield
            finally:
                await drain.finish()
                await finish_calls(_LAST_CALLS_S)
                await desk.finish()
                await app[REQUESTS].close()
                if working is not None:
                    working.cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await working

    app.cleanup_ctx.append(connections)
    for routes in (
        health.routes,
        metrics_routes,
        webhook_routes,
        payment_routes,
        bet_routes,
        ruling_routes,
        ledger_routes,
        game_routes,
        settlement_routes,
        # Before the patterns that would take `export` for an id.
        review_routes,
        reconciliation_routes,
    ):
        app.add_routes(routes)
    app.add_routes([openapi_route(app)])
    pages.install(
        app,
        environment=settings.environment,
        reconcile_every=settings.reconcile_every,
        grace=settings.grace_period,
        doors=pages.Doors.of(oidc_client_of(settings), passwords=settings.password_sign_in),
    )
    return app


@asynccontextmanager
async def _open_replica(settings: Settings, primary: Pool) -> AsyncIterator[Replica | None]:
    """The read replica, ``None`` where none is set."""
    if settings.replica_database_url is None:
        yield None
        return
    async with open_replica(
        settings.replica_database_url.get_secret_value(),
        primary,
        max_size=settings.pool_size,
        at_most=settings.replica_max_lag,
    ) as replica:
        yield replica


def build_watch(settings: Settings, pool: Pool) -> web.Application:
    """What a process without the service tells of itself: health, readiness, metrics.

    Args:
        settings: as read.
        pool: of the process.
    """
    app = web.Application(middlewares=[request_id_middleware, metrics_middleware])
    app[POOL] = pool
    app[READINESS] = Readiness(schema_head())
    app[METRICS] = Metrics(numbers_of(settings), serves=False)
    app.add_routes(health.routes)
    app.add_routes(metrics_routes)
    return app


def numbers_of(settings: Settings) -> tuple[DatabaseNumbers, ...]:
    """What the database knows of each room; first what is read in no time."""
    game = settings.game_url is not None
    lookout = lookout_of(settings)
    listed = (
        [] if lookout.backfill_every is None else [one.endpoint.name for one in lookout.accounts]
    )
    return (
        CLOCK_NUMBERS,
        JOB_NUMBERS,
        *((run_numbers(_lanes(settings)),) if game else ()),
        SUSPECT_NUMBERS,
        backfill_numbers(listed),
        SEAL_NUMBERS,
        ALERT_NUMBERS,
        VERIFICATION_NUMBERS,
        BET_NUMBERS,
        CASE_NUMBERS,
        INBOX_NUMBERS,
        PAYMENT_NUMBERS,
        DISCREPANCY_NUMBERS,
    )


@asynccontextmanager
async def open_game(
    settings: Settings, watch: GameWatch | None = None
) -> AsyncIterator[GameClient | None]:
    """The game API's client, or ``None`` where none is configured.

    Args:
        settings: as read.
        watch: told of every attempt, so that it knows since when the game is out of reach.
    """
    if settings.game_url is None or settings.game_api_key is None:
        yield None
        return

    def observe(attempt: Attempt) -> None:
        observe_attempt(attempt)
        if watch is not None:
            watch.observe(attempt)

    secret, previous = settings.game_signing_secret, settings.game_signing_secret_previous
    if secret is None:
        # Comparing needs no signature. Bets are signed with what nobody knows, so that the game
        # refuses each of them for certain and the stake goes back; `doctor` says what is missing.
        log.warning("no_signing_secret", setting="RECON_GAME_SIGNING_SECRET")
    async with GameClient(
        settings.game_url,
        settings.game_api_key.get_secret_value(),
        token_urlsafe() if secret is None else secret.get_secret_value(),
        previous_signing_secret=None if previous is None else previous.get_secret_value(),
        on_attempt=observe,
    ) as game:
        yield game


def reconciler_of(settings: Settings, pool: Pool, game: GameClient) -> Reconciler:
    """What comparing needs, by the settings."""
    currencies = {currency.upper() for currency in settings.tolerance}
    return Reconciler(
        pool=pool,
        game=game,
        grace=settings.grace_period,
        tolerances={currency: settings.tolerance_minor(currency) for currency in currencies},
        concurrency=settings.sweep_concurrency,
    )


async def run_worker(settings: Settings, pool: Pool, game: GameClient | None) -> None:
    """Run the jobs until cancelled."""
    reconciler = None if game is None else reconciler_of(settings, pool, game)
    keys = seal_keys_of(settings)
    if not keys:
        log.warning("no_seal_key", setting="RECON_SEAL_KEYS")
    sealer = Sealer(pool, keys, anchor=settings.seal_anchor)
    verifier = None
    if settings.verify_every is not None:
        verifier = Verifier(
            pool=pool, keys=keys, anchor=settings.seal_anchor, every=settings.verify_every
        )
    lanes, lookout = _lanes(settings), lookout_of(settings)
    kept = Kept(
        Retention(settings.payload_retention, settings.payload_retention_unsettled),
        seen=settings.run_retention,
    )
    watched = {} if game is None else {str(scope): every for scope, every in lanes.items()}
    alerting = alerting_of(settings, watched)
    bulletin = Bulletin()
    # What rests because the game was gone need not wait for its time once the game is back.
    returns = nullcontext() if game is None else game.on_return(lambda: bulletin.put(EVERYTHING))
    with returns:
        async with asyncio.TaskGroup() as group:
            if game is not None:
                group.create_task(heed(bulletin, settle_by_news(pool, game)))
                for part in _stream_parts(settings, pool, bulletin, StreamWatch(game.note)):
                    group.create_task(part)
            await run_until_cancelled(
                lambda: build_worker(
                    pool,
                    reconciler,
                    sealer,
                    lanes=lanes,
                    lookout=lookout,
                    kept=kept,
                    alerting=alerting,
                    verifier=verifier,
                )
            )


def _stream_parts(
    settings: Settings, pool: Pool, bulletin: Bulletin, watch: StreamWatch
) -> Sequence[Coroutine[None, None, NoReturn]]:
    """Listening to the game, where no other process does."""
    if settings.game_url is None or settings.game_api_key is None or not settings.game_stream:
        return ()
    address = StreamAddress(
        checked_base_url(settings.game_url), settings.game_api_key.get_secret_value()
    )
    # Kept from one time of holding it to the next: what it has learned of the game stays true.
    backoff = Backoff()
    return (hold(pool, lambda: listen(address, bulletin, watch, backoff=backoff), watch),)


def api_accounts_of(settings: Settings) -> list[ApiAccount]:
    """The PSP accounts whose own list of events can be read."""
    endpoints = build_endpoints(settings.psp)
    return build_api_accounts(endpoints, settings.psp, livemode=settings.environment == "live")


def oidc_client_of(settings: Settings) -> pages.Client | None:
    """What we are to the OIDC provider; ``None`` where none is set up."""
    oidc = settings.oidc
    if oidc is None or settings.public_url is None:
        return None
    secret = oidc.client_secret
    return pages.Client(
        issuer=oidc.issuer,
        client_id=oidc.client_id,
        client_secret=None if secret is None else secret.get_secret_value(),
        redirect_uri=f"{settings.public_url.rstrip('/')}/sign-in/oidc/callback",
        label=oidc.label,
        scopes=oidc.scopes,
        name_claim=oidc.name_claim,
        roles_claim=oidc.roles_claim,
        roles={value: pages.Role(role) for value, role in oidc.roles.items()},
    )


def lookout_of(settings: Settings) -> Lookout:
    """What is looked for that no PSP has told."""
    return Lookout(
        overdue=Overdue(
            unreported=settings.payment_overdue_after,
            unpaid=settings.withdrawal_overdue_after,
            abandoned=settings.deposit_abandoned_after,
            silent=[name for name, psp in settings.psp.items() if psp.provider in _NEVER_SAY_PAID],
        ),
        waiting=settings.waiting_after,
        accounts=api_accounts_of(settings),
        backfill_every=settings.backfill_every,
        backfill_after=settings.backfill_after,
    )


def _lanes(settings: Settings) -> dict[RunScope, timedelta]:
    """What is compared by itself; `off` for what changed turns everything off."""
    if settings.reconcile_every is None:
        return {}
    lanes = {RunScope.CHANGED: settings.reconcile_every}
    if settings.reconcile_all_every is not None:
        lanes[RunScope.ALL] = settings.reconcile_all_every
    return lanes
