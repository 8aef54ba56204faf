"""Valid calls with anything changed in them: each ends in the table, and the books verify.

The same calls every time, drawn by Hypothesis from a fixed seed; ``RECON_MUTATIONS`` sends more.
"""

from __future__ import annotations

import json
import os
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recon.http.flood import FloodGate
from tests.webhooks.conftest import (
    adyen_body,
    dispute,
    item,
    payment_intent,
    payout,
    refund,
    standard_headers,
    stripe_body,
    stripe_headers,
)

if TYPE_CHECKING:
    from tests.webhooks.conftest import Door

EXAMPLES = int(os.environ.get("RECON_MUTATIONS", "250"))
HOSTILE: list[Any] = [
    *(None, True, False, 0, -1, 1, 2**63, -(2**63) - 1, 10**38, 10**40, 0.1, 1e308, float("nan")),
    *("", " ", "0", "-0.01", "20.001", "1e3", "NaN", "Infinity", "٢٠", "\x00", "\ud800", "\u202e"),
    *("x" * 300, "u_7", "GBP", "gbp", "XXX", "KWD", "JPY", "a:b", "~stripe:pi_1", "\U0001f4b0"),
    *("deposit.succeeded", "payout.paid", "REFUND", "true", "false", "succeeded", "../../etc"),
    *([], {}, [[]], [{}], {"id": "x"}, {"amount": "20.00"}),
]


def standard(kind: str, **more: Any) -> bytes:  # noqa: ANN401 - of a body
    data = {"payment_id": "pay_1", "user_id": "u_7", "amount": "20.00", "currency": "GBP"}
    return json.dumps(
        {"type": kind, "timestamp": "2026-01-01T00:00:00Z", "data": data | more}
    ).encode()


SAMPLES = [
    (
        "stripe",
        stripe_body("payment_intent.succeeded", payment_intent(user_id="u_7"), event_id="e"),
    ),
    ("stripe", stripe_body("refund.created", refund(), event_id="e_2")),
    ("stripe", stripe_body("charge.dispute.funds_withdrawn", dispute(), event_id="e_3")),
    ("stripe", stripe_body("payout.paid", payout(user_id="u_7"), event_id="e_4")),
    ("standard", standard("deposit.succeeded")),
    ("standard", standard("deposit.refunded", effect_id="rf_1", reference="order-1")),
    ("standard", standard("withdrawal.paid", payment_id="out_1")),
    ("adyen", adyen_body(item(), item("REFUND", "RF1", original="7914073381342284", value=5))),
    ("adyen", adyen_body(item("CHARGEBACK", "D1", original="7914073381342284"))),
]


class Pairs(list[tuple[str, Any]]):
    """An object with keys that may stand twice."""


def dumps(value: Any) -> str:  # noqa: ANN401 - JSON
    """JSON with every key that `Pairs` has, also twice."""
    if isinstance(value, Pairs):
        return "{" + ",".join(f"{json.dumps(key)}:{dumps(inner)}" for key, inner in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dumps, value)) + "]"
    return json.dumps(value)


def places(value: Any) -> list[tuple[Any, int]]:  # noqa: ANN401 - JSON
    """Every (container, index) in a document."""
    if not isinstance(value, list):
        return []
    inner = [pair[1] for pair in value] if isinstance(value, Pairs) else value
    own = [(value, index) for index in range(len(value))]
    return own + [place for one in inner for place in places(one)]


@st.composite
def documents(draw: st.DrawFn, body: bytes) -> bytes:
    """A document with one to three values replaced, taken away, doubled or nested."""
    value = json.loads(body, object_pairs_hook=Pairs)
    for _ in range(draw(st.integers(1, 3))):
        found = places(value)
        if not found:
            break
        container, index = draw(st.sampled_from(found))
        odd = deepcopy(draw(st.sampled_from(HOSTILE)))
        old = container[index]
        match draw(st.sampled_from(["replace", "remove", "double", "nest"])):
            case "remove":
                del container[index]
            case "double":
                container.append((old[0], odd) if isinstance(container, Pairs) else old)
            case "nest" if not isinstance(container, Pairs):
                container[index] = [old]
            case _:
                container[index] = (old[0], odd) if isinstance(container, Pairs) else odd
    return dumps(value).encode("utf-8", "surrogatepass")


@st.composite
def spoilt(draw: st.DrawFn, body: bytes) -> bytes:
    """Bytes with some of them flipped, put in or cut off."""
    made = bytearray(body)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, max(0, len(made) - 1)))
        match draw(st.sampled_from(["flip", "insert", "cut"])):
            case "flip" if made:
                made[place] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del made[place:]
            case _:
                made[place:place] = draw(st.binary(min_size=1, max_size=8))
    return bytes(made)


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, bytes, bytes, bool]:
    """(endpoint, the valid body, the changed one, whether it is signed again)."""
    endpoint, body = draw(st.sampled_from(SAMPLES))
    changed = draw(st.one_of(documents(body), documents(body), spoilt(body)))
    return endpoint, body, changed, draw(st.sampled_from([True, True, False]))


def signed_again(body: bytes) -> bytes:
    """An Adyen notification with every item signed that can be."""
    try:
        document = json.loads(body)
        items = [one["NotificationRequestItem"] for one in document["notificationItems"]]
        return adyen_body(*({**one, "additionalData": {}} for one in items))
    except (ValueError, KeyError, TypeError, AttributeError):
        return body


@pytest.fixture
def gate() -> FloodGate:
    return FloodGate(burst=10**6)


@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(call=calls())
async def test_a_changed_call_ends_in_the_table(
    door: Door, call: tuple[str, bytes, bytes, bool]
) -> None:
    endpoint, valid, body, again = call
    headers = {}
    if endpoint == "adyen":
        body = signed_again(body) if again else body
    else:
        make = stripe_headers if endpoint == "stripe" else standard_headers
        headers = make(body if again else valid)

    response = await door.post(endpoint, body, headers)

    if endpoint == "adyen":
        assert response.status in {200, 400, 401, 415}
    elif again or body == valid:
        assert response.status in {200, 415}, await response.text()
        assert response.status == 200 or not is_json(body)
    else:
        assert response.status == 401
    # Whatever came, the next valid call is taken as ever.
    after = standard("deposit.succeeded", payment_id="pay_after")
    assert (await door.post("standard", after, standard_headers(after))).status == 200
    # An amount that nobody has sent is booked nowhere.
    assert await door.pool.fetchval("SELECT count(*) FROM postings WHERE amount <= 0") == 0


def is_json(body: bytes) -> bool:
    """Whether any reader would take it for JSON."""
    try:
        json.loads(body.decode(errors="replace"))
    except ValueError:
        return False
    return True
