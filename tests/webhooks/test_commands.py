"""``recon webhooks`` against a service that listens."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from recon.cli import recon
from recon.webhooks import Kind
from tests.webhooks.conftest import ACCOUNT, ADYEN_KEY, STANDARD_SECRET, STRIPE_SECRET

if TYPE_CHECKING:
    from click.testing import Result

    from tests.webhooks.conftest import Door

ADYEN_HAS_NOT = {"deposit.pending", "withdrawal.paid"}
STANDARD_HAS_NOT = {"deposit.refund_failed"}


@pytest.fixture(autouse=True)
def _environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECON_DATABASE_URL", database_url)
    for name, provider, secret in (
        ("STRIPE", "stripe", STRIPE_SECRET),
        ("ADYEN", "adyen", ADYEN_KEY),
        ("STANDARD", "standard-webhooks", STANDARD_SECRET),
    ):
        monkeypatch.setenv(f"RECON_PSP__{name}__PROVIDER", provider)
        monkeypatch.setenv(f"RECON_PSP__{name}__SECRETS", json.dumps([secret]))
    monkeypatch.setenv("RECON_PSP__ADYEN__MERCHANT_ACCOUNT", ACCOUNT)


async def run(*arguments: str) -> Result:
    """Run a command in a thread of its own, where it has an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, recon, ["webhooks", *arguments])


async def send(door: Door, *arguments: str) -> Result:
    url = str(door.client.make_url("/"))
    return await run("send", *arguments, "--url", url, "--json")


async def test_a_sample_is_booked_once_however_often_it_is_sent(door: Door) -> None:
    sent = await send(
        door, "stripe", "deposit.succeeded", "--user", "u_7", "--amount", "20.00", "--duplicate"
    )

    assert sent.exit_code == 0, sent.output
    answers = json.loads(sent.stdout)["answers"]
    assert [json.loads(answer["body"])["state"] for answer in answers] == ["booked", "repeated"]
    assert await door.available("u_7") == "20.00"


async def test_whoever_names_no_endpoint_is_told_which_there_are(door: Door) -> None:
    refused = await send(door, "nowhere", "deposit.succeeded")

    assert refused.exit_code == 2
    assert "there is no endpoint 'nowhere'; configured: adyen, s" in refused.output


async def test_samples_of_one_reference_hang_together(door: Door) -> None:
    story = ["deposit.succeeded", "deposit.refunded", "deposit.refund_failed"]
    for kind in [*story, "deposit.charged_back", "deposit.chargeback_reversed"]:
        sent = await send(door, "stripe", kind, "--user", "u_7", "--reference", "order-1")
        assert json.loads(json.loads(sent.stdout)["answers"][0]["body"])["state"] == "booked"

    assert await door.available("u_7") == "10.00"


@pytest.mark.parametrize("endpoint", ["stripe", "adyen", "standard"])
async def test_every_event_that_a_provider_has_is_taken(door: Door, endpoint: str) -> None:
    missing = {"adyen": ADYEN_HAS_NOT, "standard": STANDARD_HAS_NOT}.get(endpoint, set())
    for kind in Kind:
        sent = await send(door, endpoint, str(kind))
        if kind in missing:
            assert sent.exit_code == 1
            continue
        assert sent.exit_code == 0, sent.output

    taken = await door.inbox()
    assert {stored.kind for stored in taken} >= set(Kind) - missing - {"withdrawal.returned"}
    assert "quarantined" not in {stored.state for stored in taken}


async def test_a_late_sample_counts_for_300_seconds(door: Door) -> None:
    soon = await send(door, "standard", "deposit.succeeded", "--late", "4m")
    late = await send(door, "standard", "deposit.succeeded", "--late", "6m")

    assert (soon.exit_code, late.exit_code) == (0, 1)
    assert json.loads(late.stdout)["answers"][0]["status"] == 401


@pytest.mark.parametrize("endpoint", ["stripe", "adyen", "standard"])
async def test_a_bad_signature_is_refused_and_the_command_fails(door: Door, endpoint: str) -> None:
    sent = await send(door, endpoint, "deposit.succeeded", "--bad-signature")

    assert sent.exit_code == 1
    assert json.loads(sent.stdout)["answers"][0]["status"] == 401
    assert await door.inbox() == []


async def test_the_inbox_is_listed_shown_and_replayed(door: Door) -> None:
    await send(door, "adyen", "deposit.succeeded", "--reference", "order-1", "--amount", "20.00")
    listed = json.loads((await run("list", "--state", "suspended", "--json")).stdout)
    delivery_id = listed[0]["delivery_id"]
    assert "adyen" in (await run("list")).stdout

    shown = json.loads((await run("show", delivery_id, "--json")).stdout)
    assert json.loads(shown["body"])["merchantReference"] == "order-1"
    assert "merchantReference" in (await run("show", delivery_id)).stdout

    await door.register("order-1", endpoint="adyen", user="u_9")
    replayed = json.loads((await run("replay", delivery_id, "--json")).stdout)
    assert replayed["state"] == "booked"
    assert await door.available("u_9") == "20.00"


async def test_the_list_is_filtered_and_goes_on_where_it_ended(door: Door) -> None:
    for number in range(3):
        await send(door, "stripe", "deposit.succeeded", "--user", f"u_{number}")
    await send(door, "adyen", "deposit.succeeded", "--reference", "order-1")

    async def listed(*arguments: str) -> list[str]:
        ran = await run("list", "--json", *arguments)
        assert ran.exit_code == 0, ran.output
        return [one["delivery_id"] for one in json.loads(ran.stdout)]

    every = await listed()
    assert len(every) == 4
    assert await listed("--limit", "2") + await listed("--before", every[1]) == every
    assert await listed("--find", "u_1") == [every[2]]
    assert await listed("--find", "order-1", "--state", "unsettled") == [every[0]]
    assert await listed("--endpoint", "stripe", "--since", "2020-01-01") == every[1:]
    assert await listed("--until", "2020-01-01") == []
    wrong = await run("list", "--since", "soon")
    assert (wrong.exit_code, "not an ISO 8601 time" in wrong.output) == (2, True)


async def test_a_dry_run_says_what_a_replay_would_do_and_does_nothing(door: Door) -> None:
    await send(door, "adyen", "deposit.succeeded", "--reference", "order-1", "--amount", "20.00")
    delivery_id = str((await door.last()).delivery_id)

    stays = await run("replay", delivery_id, "--dry-run")
    assert "would stay suspended: nobody is named and no payment is registered" in stays.stdout
    # The registration is written behind the service's back: it would decide by itself.
    await door.pool.execute(
        "INSERT INTO payments (reference, endpoint, direction, user_id, currency, amount, state)"
        " VALUES ('order-1', 'adyen', 'deposit', 'u_9', 'GBP', 2000, 'registered')"
    )
    would = json.loads((await run("replay", delivery_id, "--dry-run", "--json")).stdout)
    assert (would["changes"], would["before"], would["after"]) == (True, "suspended", "booked")
    assert [(one["user_id"], one["amount"]) for one in would["moves"]] == [("u_9", "20.00")]
    assert await door.available("u_9") == "0.00"
    said = await run("replay", delivery_id, "--dry-run")
    assert "It is suspended and would be booked." in said.stdout
    assert (await run("replay", delivery_id)).exit_code == 0
    assert await door.available("u_9") == "20.00"
    told = (await run("show", delivery_id)).stdout
    assert "Its money is in the player's book." in told
    assert "cli: suspended → booked" in told


async def test_the_provider_s_own_words_are_understood(door: Door) -> None:
    stripe = await send(door, "stripe", "payment_intent.succeeded", "--user", "u_7")
    adyen = await send(door, "adyen", "AUTHORISATION")
    neither = await send(door, "adyen", "payment_intent.succeeded")

    assert (stripe.exit_code, adyen.exit_code, neither.exit_code) == (0, 0, 1)
    assert await door.available("u_7") == "10.00"


async def test_a_duration_that_is_none_is_a_usage_fault(door: Door) -> None:
    sent = await send(door, "stripe", "deposit.succeeded", "--late", "soon")

    assert sent.exit_code == 2
