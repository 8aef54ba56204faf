"""Signatures byte for byte, and hostile input that never ends as anything but 400 or 401."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from recon.errors import Invalid, Unauthentic, UnsupportedContent
from recon.settings import Psp
from recon.webhooks import Endpoint, build_endpoints
from recon.webhooks.errors import MisconfiguredError
from recon.webhooks.psp import PROVIDERS, adyen, standard_webhooks, stripe
from tests.fuzzing import fuzz
from tests.webhooks.conftest import (
    ADYEN_KEY,
    ADYEN_OLD,
    SIGNING_KEY,
    STANDARD_PUBLIC,
    STANDARD_SECRET,
    STRIPE_OLD,
    STRIPE_SECRET,
    adyen_body,
    item,
)

NOW = datetime.fromtimestamp(1614265330, UTC)
MESSAGE = b'{"test": 2432232314}'
SPEC = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
}


def test_the_vector_of_standard_webhooks() -> None:
    key = standard_webhooks.verify(SPEC, MESSAGE, [STANDARD_SECRET], NOW)

    assert key == "key:0:" + hashlib.sha256(STANDARD_SECRET.encode()).hexdigest()[:8]
    signed = standard_webhooks.sign(
        STANDARD_SECRET, SPEC["webhook-id"], SPEC["webhook-timestamp"], MESSAGE
    )
    assert signed == SPEC["webhook-signature"]


def test_the_vector_of_adyen() -> None:
    notified = {
        "pspReference": "7914073381342284",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "TestPayment-1407325143704",
        "amount": {"value": 1130, "currency": "EUR"},
        "eventCode": "AUTHORISATION",
        "success": "true",
    }
    assert adyen.signed_string(notified) == (
        "7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true"
    )
    assert adyen.sign(ADYEN_KEY, notified) == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="


def test_stripe_signs_with_the_whole_secret_in_lower_hex() -> None:
    expected = hmac.new(STRIPE_SECRET.encode(), b"1614265330." + MESSAGE, "sha256").hexdigest()
    header = {"Stripe-Signature": f"t=1614265330,v1={'0' * 64},v1={expected},v0=ignored"}

    assert stripe.verify(header, MESSAGE, [STRIPE_SECRET], NOW).startswith("key:0:")
    with pytest.raises(Unauthentic):
        stripe.verify({"Stripe-Signature": f"t=1614265330,v1={expected[:-1]}0a"}, MESSAGE, [], NOW)
    with pytest.raises(Invalid):
        stripe.verify(
            {"Stripe-Signature": f"t=1614265330,v0={expected}"}, MESSAGE, [STRIPE_SECRET], NOW
        )


def test_every_secret_is_tried_and_the_one_that_verified_is_told() -> None:
    signature = stripe.sign(STRIPE_OLD, "1614265330", MESSAGE)
    header = {"Stripe-Signature": f"t=1614265330,v1={signature}"}
    key = stripe.verify(header, MESSAGE, [STRIPE_SECRET, STRIPE_OLD], NOW)

    assert key == "key:1:" + hashlib.sha256(STRIPE_OLD.encode()).hexdigest()[:8]


def test_ed25519_signatures_verify_beside_others() -> None:
    signed = f"{SPEC['webhook-id']}.{SPEC['webhook-timestamp']}.".encode() + MESSAGE
    v1a = "v1a," + base64.b64encode(SIGNING_KEY.sign(signed)).decode()
    headers = SPEC | {"webhook-signature": f"v2,abc v1,AAAA {v1a}"}

    secrets = [STANDARD_SECRET, STANDARD_PUBLIC]
    assert standard_webhooks.verify(headers, MESSAGE, secrets, NOW).startswith("key:1:")
    with pytest.raises(Unauthentic):
        standard_webhooks.verify(headers, MESSAGE + b" ", secrets, NOW)
    with pytest.raises(Unauthentic):
        standard_webhooks.verify(headers, MESSAGE, [STANDARD_SECRET], NOW)


def test_a_hmac_of_the_public_key_is_not_taken_for_a_signature() -> None:
    # A public key is public: were it used as an HMAC key, everybody could sign.
    forged = standard_webhooks.sign(
        "whsec_" + STANDARD_PUBLIC.removeprefix("whpk_"), "m", "1614265330", MESSAGE
    )
    headers = SPEC | {"webhook-id": "m", "webhook-signature": forged}
    with pytest.raises(Unauthentic):
        standard_webhooks.verify(headers, MESSAGE, [STANDARD_PUBLIC], NOW)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_item_is_verified_wherever_it_stands(place: int) -> None:
    document = json.loads(adyen_body(*(item(psp_reference=f"P{n}") for n in range(3))))
    adyen.verify({}, json.dumps(document).encode(), [ADYEN_OLD, ADYEN_KEY], NOW)
    document["notificationItems"][place]["NotificationRequestItem"]["amount"]["value"] = 1

    with pytest.raises(Unauthentic):
        adyen.verify({}, json.dumps(document).encode(), [ADYEN_OLD, ADYEN_KEY], NOW)


@pytest.mark.parametrize(
    "changed",
    [
        *({"pspReference": "P2"}, {"originalReference": "P1"}, {"merchantAccountCode": "Other"}),
        *({"merchantReference": "order-2"}, {"eventCode": "REFUND_FAILED"}, {"success": "false"}),
        {"amount": {"currency": "GBP", "value": 2001}},
        {"amount": {"currency": "JPY", "value": 2000}},
    ],
    ids=str,
)
def test_each_signed_field_of_an_item_is_bound(changed: dict[str, Any]) -> None:
    document = json.loads(adyen_body(item("REFUND", original="P0")))
    adyen.verify({}, json.dumps(document).encode(), [ADYEN_KEY], NOW)
    document["notificationItems"][0]["NotificationRequestItem"] |= changed

    with pytest.raises(Unauthentic):
        adyen.verify({}, json.dumps(document).encode(), [ADYEN_KEY], NOW)


HEADER = st.text(max_size=200) | st.binary(max_size=200).map(
    lambda raw: raw.decode("utf-8", "surrogateescape")
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.just("coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("notificationItems", "NotificationRequestItem", "additionalData", "id"),
                    *("hmacSignature", "amount", "value", "currency", "pspReference", "success"),
                    *("type", "data", "object", "created", "metadata", "status", "timestamp"),
                    *("eventCode", "merchantReference", "payment_id", "user_id", "reference"),
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)
BODY = st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode())


def refused(provider: str, headers: dict[str, str], body: bytes, secrets: list[str]) -> None:
    """Verification of what nobody signed ends in one of its families."""
    with pytest.raises((Invalid, Unauthentic, UnsupportedContent)):
        PROVIDERS[provider].verify(headers, body, secrets, NOW)


@fuzz(300)
@given(header=HEADER, parts=st.lists(HEADER, max_size=4), body=BODY)
@example(header="t=1614265330,v1=\u0661", parts=[], body=b"")
@example(header="t=" + "9" * 5000 + ",v1=aa", parts=[], body=b"")
@example(header="t=\u0661\u0662,v1=aa", parts=[], body=b"")
@example(header="t=1614265330", parts=["aa", "\udcff"], body=b"")
def test_no_stripe_header_or_body_raises_anything_else(
    header: str, parts: list[str], body: bytes
) -> None:
    joined = header + "".join(f",v1={part}" for part in parts)
    refused("stripe", {"Stripe-Signature": joined}, body, [STRIPE_SECRET, STRIPE_OLD])


@fuzz(300)
@given(
    message_id=HEADER,
    timestamp=HEADER | st.just("1614265330"),
    signatures=st.lists(st.tuples(st.sampled_from(["v1", "v1a", "v9", ""]), HEADER), max_size=4),
    body=BODY,
)
@example(message_id="m", timestamp="1614265330", signatures=[("v1a", "AAAA")], body=b"")
@example(message_id="m", timestamp="1614265330", signatures=[("v1", "\udcff")], body=b"")
@example(message_id="\udcff", timestamp="1614265330", signatures=[("v1", "AAAA")], body=b"")
def test_no_standard_header_or_body_raises_anything_else(
    message_id: str, timestamp: str, signatures: list[tuple[str, str]], body: bytes
) -> None:
    headers = {
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"{version},{text}" for version, text in signatures),
    }
    refused("standard-webhooks", headers, body, [STANDARD_SECRET, STANDARD_PUBLIC])


@fuzz(300)
@given(body=BODY, notified=JSON, additional=JSON)
def test_no_adyen_body_raises_anything_else(body: bytes, notified: Any, additional: Any) -> None:  # noqa: ANN401 - JSON
    refused("adyen", {}, body, [ADYEN_KEY, ADYEN_OLD])
    inner = notified if isinstance(notified, dict) else {}
    wrapped = {"NotificationRequestItem": {**inner, "additionalData": additional}}
    document = {"notificationItems": [wrapped]}
    refused("adyen", {}, json.dumps(document).encode(), [ADYEN_KEY, ADYEN_OLD])


@fuzz(300)
@given(body=BODY, event_type=st.sampled_from(["refund.created", "payout.paid", "x"]), shown=JSON)
def test_whatever_was_signed_is_read_or_unusable_or_no_json(
    body: bytes,
    event_type: str,
    shown: Any,  # noqa: ANN401 - JSON
) -> None:
    documents = [
        body,
        json.dumps(
            {"id": "e", "type": event_type, "created": 1, "data": {"object": shown}}
        ).encode(),
        json.dumps({"type": "deposit.succeeded", "timestamp": shown, "data": shown}).encode(),
    ]
    endpoint = Endpoint(name="e", provider="stripe", secrets=())
    for document in documents:
        for provider in ("stripe", "standard-webhooks"):
            try:
                readings = PROVIDERS[provider].read(endpoint, {"webhook-id": "m"}, document)
            except UnsupportedContent:
                continue
            assert len(readings) == 1
    if isinstance(shown, dict):
        try:
            signed = adyen_body({**shown, "additionalData": {}})
        except ValueError:  # what cannot be signed
            return
        adyen.verify({}, signed, [ADYEN_KEY], NOW)
        assert len(adyen.read(endpoint, {}, signed)) == 1


@pytest.mark.parametrize(
    ("provider", "secret"),
    [
        ("stripe", "whsec_with space"),
        ("adyen", "not hex"),
        ("adyen", "abc"),
        ("standard-webhooks", "whsec_!!"),
        ("standard-webhooks", "whpk_AAAA"),
    ],
)
def test_a_secret_that_cannot_be_one_is_a_fault_of_the_settings_and_not_shown(
    provider: str, secret: str
) -> None:
    account = Psp.model_validate({"provider": provider, "secrets": [secret]})
    with pytest.raises(MisconfiguredError) as fault:
        build_endpoints({"one": account, "two": account})

    assert "psp.one.secrets[0]" in fault.value.message
    assert "psp.two.secrets[0]" in fault.value.message
    assert secret not in fault.value.message


def test_an_endpoint_does_not_show_its_secrets() -> None:
    endpoint = Endpoint(name="e", provider="stripe", secrets=(STRIPE_SECRET,))

    assert STRIPE_SECRET not in repr(endpoint)
