"""Every answer to a caller tells what is left of its quota; whoever has no key is slowed down."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recon.errors import TooManyRequests
from recon.http import Scope
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from tests.http.conftest import PAYMENT, bearer

if TYPE_CHECKING:
    from tests.http.conftest import Service

POLICY = '"default";q=3;w=60'


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.at = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock_alone() -> Clock:
    """Of a count without a service."""
    return Clock()


@pytest.fixture
def clock(service: Service) -> Clock:
    """Three calls a minute for a caller, two wrong keys a minute for an address."""
    clock = Clock()
    service.client.app._state[LIMITER] = RateLimiter(3, 60, clock)  # noqa: SLF001 - a started application is frozen
    service.client.app._state[FAILURES] = RateLimiter(2, 60, clock)  # noqa: SLF001 - the same
    return clock


async def told(service: Service, path: str, headers: dict[str, str]) -> tuple[int, str | None]:
    async with service.client.get(f"/api/v1{path}", headers=headers) as answer:
        assert answer.headers.get("RateLimit-Policy") in {POLICY, None}
        assert (answer.status == 429) == ("Retry-After" in answer.headers)
        return answer.status, answer.headers.get("RateLimit")


async def test_errors_tell_the_quota_as_answers_do(service: Service, clock: Clock) -> None:
    headers = bearer(await service.key("cashier", Scope.READ_PAYMENT))

    missing = await told(service, "/payments/none", headers)
    clock.at += 10
    forbidden = await told(service, "/bets/none", headers)
    invalid = await told(service, "/payments/none", headers)
    clock.at += 20.5
    refused = await told(service, "/payments/none", headers)
    clock.at += 29.5
    afterwards = await told(service, "/payments/none", headers)

    assert missing == (404, '"default";r=2;t=60')
    assert forbidden == (403, '"default";r=1;t=50')
    assert invalid == (404, '"default";r=0;t=50')
    assert refused == (429, '"default";r=0;t=30')
    assert afterwards == (404, '"default";r=2;t=60')


async def test_a_refused_post_and_a_replay_tell_it_too(service: Service, clock: Clock) -> None:
    del clock
    key = await service.key("cashier")
    told = []
    for body in (PAYMENT, PAYMENT, PAYMENT | {"amount": "9.00"}):
        async with service.client.post(
            "/api/v1/payments", json=body, headers=bearer(key, Idempotency_Key="1")
        ) as answer:
            told.append((answer.status, answer.headers.get("RateLimit")))

    assert told == [
        (201, '"default";r=2;t=60'),
        (201, '"default";r=1;t=60'),
        (422, '"default";r=0;t=60'),
    ]


async def test_the_keys_of_one_caller_share_its_quota(service: Service, clock: Clock) -> None:
    del clock
    old, new = await service.key("cashier"), await service.key("cashier")
    other = await service.key("kiosk")

    left = [(await told(service, "/payments/none", bearer(key)))[1] for key in (old, new, other)]

    assert left == ['"default";r=2;t=60', '"default";r=1;t=60', '"default";r=2;t=60']


async def test_an_address_that_tries_keys_is_slowed_down_and_honest_callers_are_not(
    service: Service, clock: Clock
) -> None:
    honest = bearer(await service.key("cashier"))
    wrong = [
        {"Authorization": "Bearer rk_1"},
        {"Authorization": "Bearer nonsense"},
        {},
        {"Authorization": "Bearer rk_2"},
    ]

    tried = [(await told(service, "/payments/none", headers))[0] for headers in wrong]
    served = await told(service, "/payments/none", honest)
    clock.at += 60
    again, _ = await told(service, "/payments/none", wrong[0])

    assert tried == [401, 401, 429, 429]
    assert served == (404, '"default";r=2;t=60')
    assert again == 401


async def test_a_key_that_places_bets_has_the_wider_policy_and_says_so(
    service: Service, clock: Clock
) -> None:
    """A lobby acts for all its players; what another key of its does is counted as anybody's."""
    service.client.app._state[LIMITER] = RateLimiter(2, 60, clock, wider={"bets": 5})  # noqa: SLF001 - as above
    lobby = bearer(await service.key("lobby", Scope.WRITE_BET, Scope.READ_BET))
    reader = bearer(await service.key("lobby", Scope.READ_BET))

    async def left(headers: dict[str, str]) -> tuple[int, str | None, str | None]:
        async with service.client.get("/api/v1/bets/none", headers=headers) as answer:
            said = answer.headers
            return answer.status, said.get("RateLimit-Policy"), said.get("RateLimit")

    of_bets = [await left(lobby) for _ in range(6)]
    of_others = [await left(reader) for _ in range(3)]

    assert of_bets == [
        *((404, '"bets";q=5;w=60', f'"bets";r={r};t=60') for r in (4, 3, 2, 1, 0)),
        (429, '"bets";q=5;w=60', '"bets";r=0;t=60'),
    ]
    assert of_others == [
        *((404, '"default";q=2;w=60', f'"default";r={r};t=60') for r in (1, 0)),
        (429, '"default";q=2;w=60', '"default";r=0;t=60'),
    ]


async def test_by_default_a_lobby_may_place_a_thousand_bets_a_second_and_others_call_a_hundred(
    service: Service,
) -> None:
    for name, scope, policy in (
        ("lobby", Scope.WRITE_BET, '"bets";q=60000;w=60'),
        ("cashier", Scope.WRITE_PAYMENT, '"default";q=6000;w=60'),
    ):
        headers = bearer(await service.key(name, scope))
        async with service.client.get("/api/v1/payments/none", headers=headers) as answer:
            assert answer.headers["RateLimit-Policy"] == policy


def test_ten_thousand_callers_are_remembered_however_many_come(clock_alone: Clock) -> None:
    """A guesser of a million addresses costs no memory beyond that, and each try the same."""
    limiter = RateLimiter(1, 60, clock_alone)

    for number in range(0x3000):
        limiter.count(f"2001:db8:{number:x}::/64").require()

    assert len(limiter._windows) == 10_000  # noqa: SLF001 - memory is what is promised
    with pytest.raises(TooManyRequests):
        limiter.count("2001:db8:2fff::/64").require()
    # Whoever goes on is not forgotten for those that only pass.
    for number in range(11_000):
        limiter.count(f"10.0.{number // 256}.{number % 256}").require()
        assert limiter.count("2001:db8:2fff::/64").left == -1
    assert limiter.count("2001:db8:1::/64").left == 0


async def test_wrong_keys_from_all_over_one_ipv6_network_are_one_guessers(
    service: Service, clock: Clock
) -> None:
    del clock
    tried = [
        (
            await told(
                service,
                "/payments/none",
                {"Authorization": "Bearer rk_1", "X-Forwarded-For": f"2001:db8:1:{network}::{n}"},
            )
        )[0]
        for network, n in (("2", 1), ("2", 2), ("2", 3), ("3", 1))
    ]

    assert tried == [401, 401, 429, 401]
