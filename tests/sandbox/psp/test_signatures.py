"""Every signature is the one that the provider itself would have made."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from recon.errors import Invalid
from recon.sandbox.psp import adyen, settings_lines, standard_webhooks, stripe
from recon.sandbox.psp.model import Endpoint, Event

AT = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(bytes(range(32))).decode()
SIGNING_KEY = "whsk_" + base64.b64encode(bytes(range(32))).decode()
ADYEN_KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ITEM = {
    "pspReference": "7914073381342284",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "TestPayment-1407325143704",
    "amount": {"value": 1130, "currency": "EUR"},
    "eventCode": "AUTHORISATION",
    "success": "true",
}


def test_standard_webhooks_v1_is_the_published_vector() -> None:
    signature = standard_webhooks.sign_v1(
        SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_standard_webhooks_v1a_verifies_with_the_public_half() -> None:
    signature = standard_webhooks.sign_v1a(SIGNING_KEY, "msg_1", 1767225600, b"{}")

    public = standard_webhooks.public_key(SIGNING_KEY)
    assert public.startswith("whpk_")
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    raw = base64.b64decode(signature.removeprefix("v1a,"))
    key.verify(raw, b"msg_1.1767225600.{}")
    with pytest.raises(InvalidSignature):
        key.verify(raw, b"msg_1.1767225601.{}")


def test_adyen_signs_the_published_vector() -> None:
    assert adyen.signed_string(ITEM) == (
        "7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true"
    )
    assert adyen.sign_item(ADYEN_KEY, ITEM) == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="


def test_an_adyen_batch_carries_a_signature_on_every_item() -> None:
    second = ITEM | {"pspReference": "7914073381342285", "amount": {"value": 5, "currency": "EUR"}}
    document = json.loads(adyen.notification([ITEM, second], ADYEN_KEY))

    signatures = [
        wrapped["NotificationRequestItem"]["additionalData"]["hmacSignature"]
        for wrapped in document["notificationItems"]
    ]
    assert signatures[0] == "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0="
    assert signatures[1] == adyen.sign_item(ADYEN_KEY, second)
    assert signatures[0] != signatures[1]


def test_stripe_signs_what_openssl_signs() -> None:
    # printf '1767225600.{"id":"evt_1"}' | openssl dgst -sha256 -hmac whsec_test_secret
    expected = "f6ef300ec2c3f1ea8e4bc6d2a62975f58477d6fcd4bd03529a148873f625b1ca"

    assert stripe.sign("whsec_test_secret", 1767225600, b'{"id":"evt_1"}') == expected


def test_stripe_signs_with_every_secret_while_one_is_rolled_and_adds_a_scheme_to_ignore() -> None:
    event = Event("evt_1", "payout.paid", AT, {"id": "evt_1"})
    endpoint = Endpoint("stripe", "stripe", ("whsec_new", "whsec_old"), webhook_url=None)
    request = stripe.Stripe().signed(event, endpoint, AT)

    signed = b"1767225600." + request.body
    new, old = (
        hmac.new(secret, signed, sha256).hexdigest() for secret in (b"whsec_new", b"whsec_old")
    )
    assert request.headers["Stripe-Signature"].startswith(f"t=1767225600,v1={new},v1={old},v0=")


def test_a_forged_attempt_verifies_with_no_key_of_the_endpoint() -> None:
    event = Event("msg_1", "deposit.succeeded", AT, {"data": {}})
    endpoint = Endpoint("s", "standard-webhooks", (SECRET, OTHER, SIGNING_KEY), webhook_url=None)
    sender = standard_webhooks.StandardWebhooks()
    right = sender.signed(event, endpoint, AT)
    forged = sender.signed(event, endpoint, AT, forged=True)

    assert forged.body == right.body
    sent, genuine = (request.headers["webhook-signature"].split(" ") for request in (forged, right))
    assert [part.split(",")[0] for part in sent] == ["v1", "v1", "v1a"]
    assert not set(sent) & set(genuine)


@pytest.mark.parametrize(
    ("provider", "secret"),
    [
        (stripe.Stripe(), "sk_test_1"),
        (stripe.Stripe(), "whsec_"),
        (adyen.Adyen(), "not hex"),
        (adyen.Adyen(), ""),
        (standard_webhooks.StandardWebhooks(), "whsec_c2hvcnQ="),
        (standard_webhooks.StandardWebhooks(), "whsec_%%%"),
        (standard_webhooks.StandardWebhooks(), "whsk_c2hvcnQ="),
    ],
)
def test_a_secret_that_the_provider_could_not_have_issued_is_refused(
    provider: stripe.Stripe | adyen.Adyen | standard_webhooks.StandardWebhooks, secret: str
) -> None:
    endpoint = Endpoint("x", "x", (secret,), webhook_url=None, merchant_account="M")

    with pytest.raises(Invalid) as caught:
        provider.check_endpoint(endpoint)
    assert caught.value.code == "invalid_secret"


def test_settings_give_the_service_only_what_a_receiver_may_know() -> None:
    lines = settings_lines(7)

    assert lines["RECON_PSP__STRIPE__PROVIDER"] == "stripe"
    assert lines["RECON_PSP__ADYEN__MERCHANT_ACCOUNT"] == "ReconSandboxECOM"
    shared, public = json.loads(lines["RECON_PSP__STANDARD__SECRETS"])
    assert shared.startswith("whsec_")
    assert public.startswith("whpk_")
    assert not [value for value in lines.values() if "whsk_" in value]
    assert lines == settings_lines(7)
    assert lines["RECON_PSP__ADYEN__SECRETS"] != settings_lines(8)["RECON_PSP__ADYEN__SECRETS"]
    api = settings_lines(7, base_url="http://127.0.0.1:9/")
    assert api["RECON_PSP__STRIPE__API_URL"] == "http://127.0.0.1:9/sandbox/psp/stripe"
    assert api["RECON_PSP__STRIPE__API_KEY"].startswith("sk_test_")
