"""Whatever the network does, a POST that may have taken effect is not sent again blindly."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.errors import ReconError
from recon.game import (
    Answer,
    AnswerLostError,
    GameClient,
    GameMisconfigured,
    GameOutcomeUnknown,
    GameRefused,
    GameUnavailable,
    Outgoing,
    RequestNotSentError,
    hold_body,
)
from recon.money import MAX_MINOR, Money


def refusal(status: int, code: str) -> Answer:
    body = {"code": code, "message": "m", "request_id": "q"}
    return Answer(status, {}, json.dumps(body).encode())


BET = Answer(
    201,
    {},
    b'{"ticket_id":"t_1","hold_id":"h_1","round_id":"r_77","user_id":"u_1","amount":"1.00",'
    b'"currency":"GBP","auto_cashout":null,"status":"active","cashout_multiplier":null,'
    b'"payout_transaction_id":null,"placed_at":"2026-01-01T12:00:01Z"}',
)
NO_EFFECT: dict[str, Answer | Exception] = {
    "not sent": RequestNotSentError("refused"),
    "rate limited": refusal(429, "rate_limited"),
    "stale": refusal(401, "stale_timestamp"),
    "bad key": refusal(401, "invalid_api_key"),
    "expired": refusal(409, "hold_expired"),
    "unknown hold": refusal(404, "not_found"),
}
PERHAPS: dict[str, Answer | Exception] = {
    "lost": AnswerLostError("reset"),
    "error": refusal(500, "internal_error"),
    "gateway": Answer(404, {}, b"<html>"),
    "garbage": Answer(201, {}, b"{}"),
    "running": refusal(409, "idempotency_in_progress"),
    "copied": refusal(401, "nonce_reused"),
}
OUTCOMES = NO_EFFECT | PERHAPS | {"bet": BET}


@dataclass
class Network:
    """A network of the test's own, without sockets; after its script it is unreachable."""

    script: list[str]
    sent: list[Outgoing] = field(default_factory=list)

    async def send(self, outgoing: Outgoing) -> Answer:
        self.sent.append(outgoing)
        told = len(self.sent) <= len(self.script)
        outcome = OUTCOMES[self.script[len(self.sent) - 1] if told else "not sent"]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


async def no_wait(_: float) -> None:
    """Let no time pass."""


@given(script=st.lists(st.sampled_from(sorted(OUTCOMES)), min_size=1, max_size=5))
async def test_nothing_is_sent_again_after_an_effect_that_may_have_happened(
    script: list[str],
) -> None:
    network = Network(script)
    dice = random.Random(1)  # noqa: S311 - reproducible
    client = GameClient(
        "https://game.example",
        "k",
        "s",
        transport=network,
        monotonic=count(0.0, 0.5).__next__,  # time flies: nobody waits for a rate limit
        sleep=no_wait,
        rng=dice,
    )
    error: ReconError | None = None

    try:
        await client.confirm("u_1", "h_1", "k2")
    except ReconError as raised:
        error = raised

    happened = (script + ["not sent"] * 4)[: len(network.sent)]
    assert len(network.sent) <= 4
    assert {sent.headers["Idempotency-Key"] for sent in network.sent} == {"k2"}
    assert {sent.body for sent in network.sent} == {b"{}"}
    assert len({sent.headers["X-Request-Id"] for sent in network.sent}) == len(network.sent)
    # Only a copy made by the network may be followed, once, by the same key with fresh values.
    assert not set(happened[:-1]) & (PERHAPS.keys() - {"copied"})
    assert happened[:-1].count("copied") + happened[:-1].count("stale") <= 1
    if happened[-1] == "bet":
        assert error is None
    elif set(happened) & PERHAPS.keys() and happened[-1] != "expired":
        assert isinstance(error, GameOutcomeUnknown)
    else:
        assert isinstance(error, GameUnavailable | GameMisconfigured | GameRefused)


async def test_the_same_rules_run_over_a_simulated_network() -> None:
    network = Network(["not sent", "lost", "bet"])
    client = GameClient("https://game.example", "k", "s", transport=network, sleep=no_wait)

    with pytest.raises(GameOutcomeUnknown) as caught:
        await client.confirm("u_1", "h_1", "k2")

    assert len(network.sent) == 2
    assert caught.value.reason == "connection_lost"


@given(
    round_id=st.text('r_7"\\é\n☃', min_size=1, max_size=20),
    minor=st.integers(1, MAX_MINOR),
    currency=st.sampled_from(["GBP", "JPY", "KWD", "ETH"]),
    target=st.none() | st.decimals("0.01", "1000000", places=20),
)
def test_a_holds_body_says_what_was_meant_to_the_last_digit(
    round_id: str, minor: int, currency: str, target: Decimal | None
) -> None:
    stake = Money(minor, currency)

    body = json.loads(hold_body(round_id, stake, target), parse_float=Decimal, parse_int=Decimal)

    assert body["round_id"] == round_id
    assert Money.parse(body["amount"], body["currency"]) == stake
    assert body["auto_cashout"] == target
