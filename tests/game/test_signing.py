"""Signed calls: the published vector, and that the signature covers what is really sent."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

import aiohttp
import pytest
from yarl import URL

from recon.game import RetryPolicy, SigningMiddleware, canonical_string, hold_body, signature
from recon.money import Money

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.game.conftest import Rig, Seen, StubGame

SECRET = "sk_sandbox_4f1d9c"


def expected_signature(seen: Seen) -> str:
    """The contract's rule, written out again from the request that arrived."""
    lines = [
        "v1",
        seen.headers["X-Timestamp"],
        seen.headers["X-Nonce"],
        seen.method,
        seen.path,
        seen.headers["X-User-Id"],
        seen.headers["Idempotency-Key"],
        hashlib.sha256(seen.body).hexdigest(),
    ]
    return "v1=" + hmac.new(SECRET.encode(), "\n".join(lines).encode(), "sha256").hexdigest()


def test_the_published_vector() -> None:
    canonical = canonical_string(
        timestamp="1767225600",
        nonce="5f2b7c1e9a4d4e0f8c3b2a1908d7e6f5",
        method="POST",
        path_and_query="/api/v1/bets/holds",
        user_id="u_1001",
        idempotency_key="8e03978e-40d5-43e8-bc93-6894a57f9324",
        body=b'{"round_id":"r_77","amount":"10.00","currency":"GBP","auto_cashout":2.50}',
    )

    assert (
        signature(SECRET, canonical)
        == "v1=b3007378266bd3879a361a0d4a6904eca077941594e21ffff944fbd2780eb9f8"
    )


async def test_a_hold_is_signed_over_the_body_that_was_kept(rig: Rig) -> None:
    rig.game.will(rig.game.says(201, rig.game.hold(auto_cashout=None)))
    body = hold_body("r_77", Money(1000, "GBP"), None)

    await rig.client.hold("u_1001", idempotency_key="k1", body=body)

    [seen] = rig.game.seen
    assert seen.body == body
    assert seen.path == "/api/v1/bets/holds"
    assert seen.headers["X-Timestamp"] == "1767268800"  # the injected noon of 1 January 2026
    assert seen.headers["X-Signature"] == expected_signature(seen)
    assert seen.headers["X-API-Key"] == "ck_sandbox_topsecretkey"


@pytest.mark.parametrize(
    "path_and_query",
    [
        "/api/v1/bets/t%2F1/cashout",
        "/api/v1/bets/t%20x%3Fy/cashout?q=a%26b%3Dc&e=%C3%A9&plus=%2B&p=+",
        "/api/v1/bets/t?tilde=~&quote=%27&pct=%25&empty=&colon=:&at=@",
    ],
)
@pytest.mark.parametrize("encoded", [True, False])
async def test_what_is_signed_is_the_request_line_as_it_arrives(
    game: StubGame, path_and_query: str, *, encoded: bool
) -> None:
    game.will(game.says(200, {}))
    async with aiohttp.ClientSession(middlewares=(SigningMiddleware(SECRET),)) as session:
        await session.post(
            URL(game.url + path_and_query, encoded=encoded),
            data=b"\x00\xff odd bytes",
            headers={"X-User-Id": "u 1", "Idempotency-Key": "k:1"},
        )

    [seen] = game.seen
    assert seen.headers["X-Signature"] == expected_signature(seen)


async def test_an_odd_ticket_id_stays_one_segment_and_is_signed_as_sent(rig: Rig) -> None:
    rig.game.will(rig.game.refuses(409, "bet_not_active"))

    with pytest.raises(Exception, match="bet_not_active"):
        await rig.client.cashout("ü_1", "t/1?x=é &..", "k1")

    [seen] = rig.game.seen
    assert seen.path == "/api/v1/bets/t%2F1%3Fx%3D%C3%A9%20%26../cashout"
    assert seen.body == b"{}"
    assert seen.headers["X-Signature"] == expected_signature(seen)


async def test_gets_carry_no_signature(rig: Rig) -> None:
    await rig.client.state()

    [seen] = rig.game.seen
    assert "X-Signature" not in seen.headers
    assert "X-Nonce" not in seen.headers


async def test_a_base_path_is_part_of_what_is_signed(
    game: StubGame, open_rig: Callable[..., Awaitable[Rig]]
) -> None:
    rig = await open_rig(base_url=f"{game.url}/games/crash/")
    game.will(game.says(200, {}))

    await rig.client.release("u_1001", "h_1", "k1")

    [seen] = game.seen
    assert seen.path == "/games/crash/api/v1/bets/holds/h_1/release"
    assert seen.headers["X-Signature"] == expected_signature(seen)


async def test_each_of_two_secrets_is_tried_in_an_attempt_of_its_own_and_both_are_recorded(
    open_rig: Callable[..., Awaitable[Rig]],
) -> None:
    rig = await open_rig(previous_signing_secret="sk_sandbox_before", retry=RetryPolicy(attempts=1))
    rig.game.will(
        rig.game.refuses(401, "invalid_signature"),
        rig.game.says(201, rig.game.hold(auto_cashout=None)),
    )
    body = hold_body("r_77", Money(1000, "GBP"), None)

    for key in ("k1", "k2"):
        await rig.client.hold("u_1001", idempotency_key=key, body=body)

    sent = [seen.headers["X-Request-Id"] for seen in rig.game.seen]
    assert len(set(sent)) == len({seen.headers["X-Nonce"] for seen in rig.game.seen}) == 3
    assert [(a.request_id, a.status, a.error) for a in rig.attempts] == [
        (sent[0], 401, "invalid_signature"),
        (sent[1], 201, None),
        (sent[2], 201, None),  # the secret that was let in is used from then on
    ]
    assert [a.idempotency_key for a in rig.attempts] == ["k1", "k1", "k2"]
    assert rig.game.seen[0].headers["X-Signature"] == expected_signature(rig.game.seen[0])
    assert rig.game.seen[1].headers["X-Signature"] != expected_signature(rig.game.seen[1])
