"""A player is forgotten as a person: payloads go, what they moved stays, and the books hold."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from recon.cli import recon
from recon.clock import now
from recon.errors import Conflict, NotFound
from recon.seals import Sealer, SealKeys, verify_all
from recon.webhooks.erase import RECORDS_KEPT, Erased, erase_player
from tests.webhooks.conftest import item, payment_intent, refund

if TYPE_CHECKING:
    from click.testing import Result

    from recon.db import Pool
    from tests.webhooks.conftest import Door

KEYS = SealKeys(["a key that the database never sees"])


async def erase(door: Door, user: str) -> Erased:
    """Five years from now, when nothing has been heard of them since."""
    ended = now()
    at = ended + RECORDS_KEPT
    return await erase_player(door.pool, user, ended=ended, now=at, actor="staff:dpo")


async def bodies(door: Door) -> set[str]:
    """Event ids of the deliveries that have their payload, and of repeats with other bytes."""
    rows = await door.pool.fetch(
        "SELECT event_id FROM deliveries WHERE body IS NOT NULL"
        " UNION ALL SELECT event_id || ' again' FROM delivery_repeats WHERE body IS NOT NULL"
    )
    return {row["event_id"] for row in rows}


async def test_every_payload_about_a_player_goes_and_nobody_elses(door: Door) -> None:
    await door.standard("deposit.succeeded", "pay_1", event_id="paid")
    await door.standard("deposit.pending", "pay_1", event_id="pending")
    # Of the same payment, and names nobody.
    await door.standard("deposit.refunded", "pay_1", user=None, amount="5.00", event_id="refunded")
    await door.standard("deposit.succeeded", "pay_2", user="u_8", event_id="others")
    # Registered, which names the player; the item does not.
    await door.register("order-1", endpoint="adyen", user="u_7")
    await door.adyen(item(psp_reference="PSP1"))
    sealer = Sealer(door.pool, KEYS)
    await sealer.run(deep=True)

    assert await erase(door, "u_7") == Erased("u_7", 4, 0)

    assert await bodies(door) == {"others"}
    assert await door.available() == "35.00"
    assert await erase(door, "u_7") == Erased("u_7", 0, 0)
    await sealer.run(deep=True)
    proof = await verify_all(door.pool, KEYS)
    assert (proof.faults, proof.signatures) == ([], "checked")
    told = await door.pool.fetch("SELECT actor, object, detail FROM audit WHERE action = 'erased'")
    assert [(row["actor"], row["object"], row["detail"]["payloads"]) for row in told] == [
        ("staff:dpo", "player:u_7", 4),
        ("staff:dpo", "player:u_7", 0),
    ]


async def test_what_is_not_settled_stays_until_it_is(door: Door) -> None:
    await door.standard("deposit.succeeded", "pay_1", event_id="paid")
    # Nobody's yet: it waits to learn whose payment it is about.
    await door.standard("deposit.refunded", "pay_2", user=None, event_id="waits")
    # Other bytes under a known id: a case, and the delivery with it.
    await door.standard("deposit.succeeded", "pay_3", event_id="twice")
    await door.standard("deposit.succeeded", "pay_3", event_id="twice", amount="99.00")

    erased = await erase(door, "u_7")

    assert (erased.erased, erased.kept) == (1, 1)
    assert await bodies(door) == {"waits", "twice", "twice again"}
    await door.standard("deposit.succeeded", "pay_2", event_id="late")
    await door.pool.execute("UPDATE cases SET state = 'closed', closed_at = now()")
    assert await erase(door, "u_7") == Erased("u_7", 4, 0)
    assert await bodies(door) == set()


async def test_a_payment_that_was_neither_booked_nor_registered_is_found_too(door: Door) -> None:
    assert await door.standard("deposit.failed", "pay_1", event_id="failed") == "ignored"
    # Of the same payment, and names nobody.
    await door.standard("deposit.pending", "pay_1", user=None, event_id="pending")
    failed = payment_intent("pi_1", status="requires_payment_method", user_id="u_7")
    assert await door.stripe("payment_intent.payment_failed", failed, event_id="evt_1") == "ignored"
    # The card, its holder and their address; it moves no money, so nobody is read of it.
    charge = {"id": "ch_1", "object": "charge", "payment_intent": "pi_1", "metadata": {}}
    assert await door.stripe("charge.failed", charge, event_id="evt_2") == "ignored"
    # Adyen names no player: the registration does.
    await door.register("order-1", endpoint="adyen", user="u_7")
    await door.adyen(item(psp_reference="PSP1", success="false"))
    await door.standard("deposit.failed", "pay_2", user="u_8", event_id="others")

    assert await erase(door, "u_7") == Erased("u_7", 5, 0)

    assert await bodies(door) == {"others"}
    assert await door.wallet("u_7") is None


async def test_a_refund_that_names_the_charge_alone_is_about_the_payment(door: Door) -> None:
    paid = payment_intent("pi_1", charge="ch_1", user_id="u_7")
    assert await door.stripe("payment_intent.succeeded", paid, event_id="evt_1") == "booked"
    back = refund("re_1", payment_intent=None, charge="ch_1", amount=500)
    assert await door.stripe("refund.created", back, event_id="evt_2") == "booked"

    assert await erase(door, "u_7") == Erased("u_7", 2, 0)

    assert await bodies(door) == set()
    assert await door.available() == "15.00"


async def test_what_is_of_a_payment_that_became_another_players_stays(door: Door) -> None:
    """Their records may have to be kept; what names the player who is forgotten goes."""
    await door.standard("deposit.pending", "pay_1", user=None, event_id="pending")
    await door.standard("deposit.failed", "pay_1", user="u_7", event_id="failed")
    await door.standard("deposit.succeeded", "pay_1", user="u_8", event_id="paid", at=60)

    assert await erase(door, "u_7") == Erased("u_7", 1, 0)

    assert await bodies(door) == {"pending", "paid"}


@pytest.mark.parametrize("led_by", ["pending", "failed"])
@pytest.mark.parametrize("registered", ["before", "after"])
async def test_what_is_of_a_payment_that_is_registered_for_another_player_stays_with_them(
    door: Door, registered: str, led_by: str
) -> None:
    """Whoever it is registered for is written down of a delivery, whatever that says itself."""
    reference = {led_by: "order-8"}
    if registered == "before":
        await door.register("order-8", user="u_8")
    await door.standard(
        "deposit.pending", user=None, event_id="pending", reference=reference.get("pending")
    )
    await door.standard(
        "deposit.failed", user="u_7", event_id="failed", reference=reference.get("failed"), at=60
    )
    if registered == "after":
        await door.register("order-8", user="u_8")
    await door.standard("deposit.failed", "pay_2", user="u_7", event_id="own")

    assert await erase(door, "u_7") == Erased("u_7", 1, 0)

    assert await bodies(door) == {"pending", "failed"}
    assert await erase(door, "u_8") == Erased("u_8", 2, 0)
    assert await bodies(door) == set()


async def test_records_are_kept_for_five_years(door: Door) -> None:
    await door.standard("deposit.succeeded", event_id="paid")
    at = now()
    with pytest.raises(Conflict, match="kept for five years") as refused:
        await erase_player(
            door.pool,
            "u_7",
            ended=at + timedelta(seconds=1),
            now=at + RECORDS_KEPT,
            actor="staff:dpo",
        )
    assert refused.value.code == "records_kept"
    assert await bodies(door) == {"paid"}


LONG_AGO = datetime(2019, 1, 31, tzinfo=UTC)
ASKED = datetime(2026, 1, 1, tzinfo=UTC)


async def asked_for(door: Door) -> str | None:
    """Whose record speaks against the end that was typed, if any does."""
    try:
        await erase_player(door.pool, "u_7", ended=LONG_AGO, now=ASKED, actor="staff:dpo")
    except Conflict as refused:
        newest = refused.message.partition("newest ")[2].partition(",")[0]
        return f"{refused.code}: {newest}"
    return None


async def test_the_date_that_is_typed_is_not_believed_against_any_record(
    door: Door, owner: Pool
) -> None:
    await door.standard("deposit.failed", event_id="failed")
    await owner.execute("UPDATE deliveries SET received_at = '2022-05-06'")
    assert await asked_for(door) == "records_kept: delivery is of 2022-05-06"
    await owner.execute("UPDATE deliveries SET received_at = '2019-01-01'")

    await door.register("order-1", user="u_7")
    await owner.execute("UPDATE payments SET updated_at = '2023-05-06'")
    assert await asked_for(door) == "records_kept: payment is of 2023-05-06"
    await owner.execute("UPDATE payments SET updated_at = '2019-01-02'")

    await owner.execute(_BET, datetime(2024, 5, 6, tzinfo=UTC))
    assert await asked_for(door) == "records_kept: bet is of 2024-05-06"
    await owner.execute("UPDATE bets SET updated_at = '2019-01-03'")

    await door.standard("deposit.succeeded", "pay_1", event_id="paid")
    await owner.execute("UPDATE deliveries SET received_at = '2019-01-01'")
    assert await asked_for(door) == f"records_kept: posting is of {now():%F}"
    assert await bodies(door) == {"failed", "paid"}

    # Newer than what was typed, and old enough all the same.
    await owner.execute("UPDATE wallets SET posted_at = '2020-05-06'")
    assert await asked_for(door) is None
    assert await bodies(door) == set()


_BET = """
INSERT INTO bets (
    user_id, bet_id, caller_key, round_id, currency, amount, state, hold_body, hold_key,
    confirm_key, release_key, cashout_key, reason, created_at, updated_at, settled_at
)
SELECT
    'u_7', k, 'bet', 'r_1', 'GBP', 500, 'rejected', '', k, k, k, k, 'round_closed', $1, $1, $1
FROM gen_random_uuid() AS k
"""


async def test_the_command_says_what_it_did_and_why_it_did_not(
    door: Door, owner: Pool, database_url: str
) -> None:
    await door.standard("deposit.failed", event_id="failed")

    runner = CliRunner(env={"RECON_DATABASE_URL": database_url, "NO_COLOR": "1"})

    async def ran(user: str) -> Result:
        arguments = ["erase", user, "--ended", "2019-01-31", "--json"]
        return await asyncio.to_thread(runner.invoke, recon, arguments)

    young, unknown = await ran("u_7"), await ran("u_77")
    assert isinstance(young.exception, Conflict)
    assert isinstance(unknown.exception, NotFound)
    assert (young.exception.code, unknown.exception.code) == ("records_kept", "user_not_found")
    assert await door.pool.fetchval("SELECT count(*) FROM audit WHERE action = 'erased'") == 0

    await owner.execute("UPDATE deliveries SET received_at = '2019-01-01'")
    done = await ran("u_7")
    assert (done.exit_code, json.loads(done.stdout)["erased"]) == (0, 1)
