"""GET /metrics answers what operators ask, from the database and of every process of the host."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Metric
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from recon.app import build_app, build_watch
from recon.clock import new_id
from recon.db.numbers import DatabaseNumbers
from recon.http.metrics import Metrics
from recon.http.siblings import Siblings, siblings_environment, siblings_of
from recon.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from recon.db import Pool

SETTINGS = Settings.model_validate(
    {
        "game_url": "http://127.0.0.1:1",
        "game_api_key": "gk_sandbox_key_of_the_tests",
        "psp": {"bank": {"provider": "standard-webhooks", "secrets": ["whsec_AAAA"]}},
    }
)

NAMES_ALLOWED = frozenset(
    {
        *("channel", "code", "commit", "currency", "endpoint", "job", "kind", "le", "method"),
        *("operation", "part", "place", "pool", "priority", "process", "reason", "result"),
        *("route", "scope", "state", "status", "tick"),
        # Python's own.
        *("generation", "implementation", "major", "minor", "patchlevel", "version"),
    }
)
"""None of them is of a player, a bet, a payment or a person."""


def numbers(text: bytes | str) -> dict[str, float]:
    """Each sample by its name and labels, as Prometheus' own client reads them."""
    read = text if isinstance(text, str) else text.decode()
    return {
        _series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(read)
        for sample in family.samples
    }


def _series(name: str, labels: dict[str, str]) -> str:
    said = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{said}}}" if said else name


async def scraped(database_url: str) -> tuple[dict[str, float], str]:
    app = build_app(SETTINGS, database_url, jobs=False)
    async with (
        TestClient(TestServer(app, host="127.0.0.1")) as client,
        client.get("/metrics") as answer,
    ):
        assert answer.status == 200
        text = await answer.text()
    return numbers(text), text


async def test_each_question_of_an_operator_has_a_number(database_url: str, owner: Pool) -> None:
    run_id = new_id()
    await owner.execute(
        """
        INSERT INTO runs (run_id, scope, trigger, state, started_at, finished_at)
        SELECT $1, 'changed', 'schedule', 'finished', now() - interval '50 min',
            now() - interval '40 min'
        """,
        run_id,
    )
    await owner.execute(
        """
        INSERT INTO runs (run_id, scope, trigger, state, started_at)
        SELECT $1, 'changed', 'schedule', 'running', now() - interval '20 min'
        """,
        new_id(),
    )
    await owner.execute(
        """
        INSERT INTO suspects (user_id, currency, run_id, state, since, first_seen_at, due_at)
        SELECT 'u_' || n, 'GBP', $1, 'differs', now(), now() - n * interval '1 min', now()
        FROM generate_series(1, 5) AS n
        """,
        run_id,
    )
    for currency, exponent, unexplained in (("GBP", 2, 1250), ("GBP", 2, -50), ("JPY", 0, 700)):
        await owner.execute(
            """
            INSERT INTO discrepancies (
                user_id, discrepancy_id, currency, exponent, status, severity, cause,
                ledger_available, ledger_held, ledger_reserved, ledger_version, game_available,
                game_held, available_difference, held_difference, difference, explained,
                unexplained, unexplained_since, evidence, looked_at, first_seen_at, last_seen_at,
                first_run_id, last_run_id
            ) VALUES (
                $1, $2, $3, $4, 'open', 'low', 'unexplained', 0, 0, 0, 1, $5, 0, $5, 0, $5, 0, $5,
                now() - interval '3 hours', '[]', '[]', now(), now(), $6, $6
            )
            """,
            *(f"u_{unexplained}", new_id(), currency, exponent, unexplained, run_id),
        )
    await owner.execute(
        """
        INSERT INTO payments (
            reference, endpoint, direction, user_id, currency, amount, state, hold_id,
            registered_at
        ) VALUES ('w1', 'bank', 'withdrawal', 'u_1', 'GBP', 100, 'registered', $1,
            now() - interval '2 days')
        """,
        new_id(),
    )
    await owner.execute(
        """
        INSERT INTO bets (
            user_id, bet_id, caller_key, round_id, currency, amount, state, hold_body, hold_key,
            confirm_key, release_key, cashout_key, created_at, updated_at
        ) VALUES ('u_1', $1, 'k', 'r', 'GBP', 100, 'placing', '', $1, $1, $1, $1,
            now() - interval '90 s', now())
        """,
        new_id(),
    )
    await owner.execute(
        """
        INSERT INTO deliveries (
            endpoint, event_id, delivery_id, provider, received_at, body_sha256, content_sha256,
            headers, verified_by, event_type, state
        ) VALUES ('bank', 'e1', $1, 'standard-webhooks', now() - interval '1 hour', '', '', '{}',
            'key:0:x', 'deposit.refunded', 'waiting')
        """,
        new_id(),
    )
    await owner.execute(
        """
        INSERT INTO pgqueuer (priority, status, entrypoint, execute_after)
        SELECT 0, 'queued', 'sweep_all', now() - interval '10 min' FROM generate_series(1, 3)
        """
    )
    await owner.execute(
        """
        INSERT INTO pgqueuer_schedules (expression, entrypoint, last_run)
        VALUES ('* * * * * *', 'seal', now() - interval '30 s')
        """
    )

    got, text = await scraped(database_url)

    assert 2400 <= got['recon_run_last_success_age_seconds{scope="changed"}'] < 2500
    # No run of everything has ended; one could have since the first run began.
    assert 3000 <= got['recon_run_last_success_age_seconds{scope="all"}'] < 3100
    assert got['recon_run_period_seconds{scope="changed"}'] == 300
    assert 1200 <= got['recon_run_running_seconds{scope="changed"}'] < 1300
    assert got["recon_suspects"] == 5
    assert 300 <= got["recon_suspects_oldest_seconds"] < 400
    assert got['recon_discrepancies_open{currency="GBP"}'] == 2
    assert got['recon_discrepancies_unexplained_amount{currency="GBP"}'] == 13.00
    assert got['recon_discrepancies_unexplained_amount{currency="JPY"}'] == 700
    assert got['recon_discrepancies_oldest_unexplained_seconds{currency="JPY"}'] >= 10_800
    assert got['recon_withdrawals_oldest_hold_seconds{endpoint="bank"}'] >= 172_800
    assert 90 <= got["recon_bets_oldest_unsettled_seconds"] < 200
    assert 90 <= got["recon_bets_oldest_hold_seconds"] < 200
    assert got['recon_deliveries_unsettled{state="waiting"}'] == 1
    assert got['recon_deliveries_oldest_unsettled_seconds{state="waiting"}'] >= 3600
    assert got['recon_jobs_queued{job="sweep_all"}'] == 3
    assert got['recon_jobs_oldest_queued_seconds{job="sweep_all"}'] >= 600
    assert 30 <= got["recon_jobs_last_tick_age_seconds"] < 130
    assert got["recon_intake_waiting_deliveries"] == 0
    assert got['recon_db_pool_max_connections{pool="recon-intake"}'] == 8
    assert got['recon_db_pool_wait_seconds_count{pool="recon"}'] > 0
    assert got["recon_game_breaker_state"] == 0
    assert "recon_game_attempt_seconds" in text
    assert "recon_intake_commit_deliveries_count" in text
    assert "u_1" not in text


def test_no_metric_is_labelled_by_anything_that_grows_with_players() -> None:
    counted = {
        label
        for family in REGISTRY.collect()
        for sample in family.samples
        for label in sample.labels
    }
    # A metric that nothing has been counted by yet has no sample, and its labels all the same.
    declared = {
        label
        for collector in [*REGISTRY._collector_to_names]  # noqa: SLF001 - the library's own list
        if isinstance(collector, MetricWrapperBase)
        for label in collector._labelnames  # noqa: SLF001 - which it has no other door to
    }

    assert counted <= NAMES_ALLOWED
    assert declared <= NAMES_ALLOWED
    assert {"currency", "endpoint", "tick"} <= declared


def test_a_label_of_a_player_is_seen_before_anything_is_counted_by_it() -> None:
    made = Counter("recon_test_of_labels", "One of the tests.", ["user_id"])
    try:
        with pytest.raises(AssertionError):
            test_no_metric_is_labelled_by_anything_that_grows_with_players()
    finally:
        REGISTRY.unregister(made)


@pytest.fixture
def gauge() -> Iterator[Gauge]:
    made = Gauge("recon_test_of_metrics", "One of the tests.")
    yield made
    REGISTRY.unregister(made)


async def test_what_the_database_does_not_tell_is_left_out_and_said_to_be(
    pool: Pool, gauge: Gauge
) -> None:
    told = [7.0, None]

    async def refresh(_: Pool) -> None:
        value = told.pop(0)
        if value is None:
            raise OSError
        gauge.set(value)

    metrics = Metrics([DatabaseNumbers("tests", refresh, [gauge])])
    at_first = numbers(await metrics.text(pool))
    metrics._readings["tests"].next_s = 0.0  # noqa: SLF001 - five seconds later
    with structlog.testing.capture_logs() as lines:
        later = numbers(await metrics.text(pool))

    up = 'recon_database_numbers_up{part="tests"}'
    assert (at_first["recon_test_of_metrics"], at_first[up]) == (7.0, 1.0)
    assert ("recon_test_of_metrics" in later, later[up]) == (False, 0.0)
    assert [(line["event"], line["part"]) for line in lines] == [("numbers_not_read", "tests")]


async def test_however_often_it_is_scraped_the_database_is_asked_once_in_a_while(
    pool: Pool, gauge: Gauge
) -> None:
    asked: list[float] = []

    async def refresh(_: Pool) -> None:
        asked.append(asyncio.get_running_loop().time())
        await asyncio.sleep(0.3)
        gauge.set(len(asked))

    metrics = Metrics([DatabaseNumbers("tests", refresh, [gauge])])
    for text in await asyncio.gather(*(metrics.text(pool) for _ in range(8))):
        assert numbers(text)["recon_test_of_metrics"] == 1

    assert len(asked) == 1
    # It took 0.3 s: the next is six seconds after it began.
    due_in_s = metrics._readings["tests"].next_s - asked[0]  # noqa: SLF001 - not to be waited for
    assert due_in_s >= 6.0


async def test_a_service_tells_that_it_serves_and_a_worker_that_it_does_not(
    database_url: str, pool: Pool
) -> None:
    told = []
    for app in (build_app(SETTINGS, database_url, jobs=False), build_watch(SETTINGS, pool)):
        async with (
            TestClient(TestServer(app, host="127.0.0.1")) as client,
            client.get("/metrics") as answer,
        ):
            told.append(numbers(await answer.text())["recon_serves"])

    assert told == [1, 0]


async def test_of_several_processes_any_one_tells_the_numbers_of_all(
    pool: Pool, gauge: Gauge, tmp_path: Path
) -> None:
    async def refresh(_: Pool) -> None:
        gauge.set(3)

    other = CollectorRegistry()
    Counter("recon_http_requests", "Answers.", ["route"], registry=other).labels("/r").inc(5)
    Gauge("recon_test_of_metrics", "As it was when the other was asked.", registry=other).set(9)
    first, second, gone = (
        siblings_of(siblings_environment(tmp_path, number, 3)) for number in range(3)
    )
    assert gone == Siblings(tmp_path, 2, 3)
    assert first is not None
    assert second is not None

    async with second.answering(Collected(other)):
        text = await Metrics([DatabaseNumbers("tests", refresh, [gauge])], first).text(pool)

    got = numbers(text)
    assert got['recon_http_requests_total{process="1",route="/r"}'] == 5
    assert 'process_cpu_seconds_total{process="0"}' in got
    # What the database knows is told once, and unlabelled.
    assert [name for name in got if name.startswith("recon_test_of")] == ["recon_test_of_metrics"]
    assert got["recon_test_of_metrics"] == 3
    assert (got["recon_processes"], got["recon_processes_expected"]) == (2, 3)
    # One head for each metric, as the format wants it.
    heads = re.findall(rb"^# TYPE (\S+)", text, re.MULTILINE)
    assert len(heads) == len(set(heads))


async def test_who_comes_in_the_stead_of_a_process_keeps_its_socket(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Gauge("recon_test_of_new", "Of the one that came.", registry=registry).set(1)
    place, asking = Siblings(tmp_path, 1, 2), Siblings(tmp_path, 0, 2)
    async with place.answering(Collected(registry)):
        async with Siblings(tmp_path, 1, 2).answering(Collected(registry)):
            pass
        assert await asking.ask() == {}
        async with place.answering(Collected(registry)):
            told = await asking.ask()
            assert [family.name for family in told[1]] == ["recon_test_of_new"]


class Collected:
    """A registry's metrics, anew at each iteration."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry

    def __iter__(self) -> Iterator[Metric]:
        return iter(self.registry.collect())
