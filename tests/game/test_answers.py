"""Reading answers: exact numbers, aware times, and nothing that was not asked about."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from recon.errors import Invalid
from recon.game import (
    BetStatus,
    GameOutcomeUnknown,
    GameProtocolError,
    PayoutStatus,
    RoundStatus,
    hold_body,
)
from recon.money import Money

if TYPE_CHECKING:
    from tests.game.conftest import Rig


async def test_a_multiplier_keeps_every_digit(rig: Rig) -> None:
    text = json.dumps(rig.game.state()).replace("1.25", "1.10000000000000000001")
    rig.game.will(rig.game.says(200, text))

    state = await rig.client.state()

    assert state.current_multiplier == Decimal("1.10000000000000000001")
    assert str(state.current_multiplier) == "1.10000000000000000001"
    assert state.status is RoundStatus.ACTIVE
    assert state.timestamp == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert state.participants == 41


@pytest.mark.parametrize("written", ['"1.25"', "true", "-1.25", "1e999999", "[1]", "1" * 80])
async def test_what_is_no_multiplier_is_refused(rig: Rig, written: str) -> None:
    rig.game.will(rig.game.says(200, json.dumps(rig.game.state()).replace("1.25", written)))

    with pytest.raises(GameProtocolError, match="current_multiplier"):
        await rig.client.state()


async def test_a_balance_is_minor_units_in_utc(rig: Rig) -> None:
    rig.game.will(
        rig.game.says(200, rig.game.balance(as_of="2026-01-01T13:00:00.25+01:00", extra={"x": 1}))
    )

    balance = await rig.client.balance("u_1001", "GBP")

    assert (balance.available_minor, balance.held_minor) == (12050, 1000)
    assert balance.as_of == datetime(2026, 1, 1, 12, 0, 0, 250_000, tzinfo=UTC)
    assert balance.as_of.utcoffset() is not None
    [seen] = rig.game.seen
    assert seen.path == "/api/v1/user/balance?currency=GBP"
    assert seen.headers["X-User-Id"] == "u_1001"


async def test_eighteen_places_are_exact(rig: Rig) -> None:
    rig.game.will(
        rig.game.says(
            200,
            rig.game.balance(currency="ETH", available="123456789.000000000000000001", held="0"),
        )
    )

    balance = await rig.client.balance("u_1001", "ETH")

    assert balance.available_minor == 123456789000000000000000001


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "u_1002"},
        {"currency": "EUR"},
        {"available": 120.5},
        {"available": "120.505"},
        {"available": "1e3"},
        {"available": None},
        {"as_of": "2026-01-01T12:00:00"},
        {"as_of": "yesterday"},
    ],
)
async def test_a_balance_that_contradicts_or_misstates_is_no_balance(
    rig: Rig, changes: dict[str, Any]
) -> None:
    rig.game.will(rig.game.says(200, rig.game.balance(**changes)))

    with pytest.raises(GameProtocolError) as caught:
        await rig.client.balance("u_1001", "GBP")

    assert caught.value.request_id == rig.attempts[0].request_id
    assert len(rig.game.seen) == 1


async def test_a_missing_field_is_no_balance(rig: Rig) -> None:
    body = rig.game.balance()
    del body["held"]
    rig.game.will(rig.game.says(200, body))

    with pytest.raises(GameProtocolError, match="held"):
        await rig.client.balance("u_1001", "GBP")


@pytest.mark.parametrize("text", ["", "<html>", "[]", '{"a":', '"\udcff"', "[" * 5000])
async def test_a_success_that_is_not_the_json_promised_is_a_protocol_error(
    rig: Rig, text: str
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=text.encode("utf-8", "surrogateescape"))

    rig.game.will(answer)

    with pytest.raises(GameProtocolError):
        await rig.client.state()


def test_a_holds_body_is_the_contracts_own_bytes() -> None:
    body = hold_body("r_77", Money(1000, "GBP"), Decimal("2.50"))

    assert body == b'{"round_id":"r_77","amount":"10.00","currency":"GBP","auto_cashout":2.50}'


@pytest.mark.parametrize(
    ("target", "written"),
    [
        (None, b"null"),
        (Decimal("1.10000000000000000001"), b"1.10000000000000000001"),
        (Decimal("1E+2"), b"100"),
        (Decimal(2), b"2"),
    ],
)
def test_a_target_is_written_digit_for_digit(target: Decimal | None, written: bytes) -> None:
    assert hold_body("r", Money(1, "GBP"), target).endswith(b'"auto_cashout":' + written + b"}")


@pytest.mark.parametrize(
    ("minor", "target"),
    [(0, None), (-1, None), (1, Decimal("NaN")), (1, Decimal(0)), (1, Decimal("1E+400"))],
)
def test_a_hold_that_cannot_be_meant_is_not_written(minor: int, target: Decimal | None) -> None:
    with pytest.raises(Invalid):
        hold_body("r", Money(minor, "GBP"), target)


async def test_a_hold_comes_back_as_asked(rig: Rig) -> None:
    rig.game.will(rig.game.says(201, rig.game.hold(amount="10.0")))

    hold = await rig.client.hold(
        "u_1001",
        idempotency_key="k1",
        body=hold_body("r_77", Money(1000, "GBP"), Decimal("2.50")),
    )

    assert hold.amount == Money(1000, "GBP")
    assert hold.auto_cashout == Decimal("2.5")
    assert hold.status == "held"
    assert hold.expires_at == datetime(2026, 1, 1, 12, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "changes",
    [
        {"user_id": "u_1002"},
        {"round_id": "r_78"},
        {"amount": "10.01"},
        {"currency": "EUR"},
        {"auto_cashout": 2.51},
        {"auto_cashout": None},
        {"hold_id": ""},
        {"hold_id": "h\x001"},  # no database takes it
        {"hold_id": "h_1\n"},  # no header does
        {"hold_id": " h_1"},
        {"hold_id": ".."},  # no path
    ],
)
async def test_a_hold_of_something_else_is_an_unknown_outcome(
    rig: Rig, changes: dict[str, Any]
) -> None:
    rig.game.will(rig.game.says(201, rig.game.hold(**changes)))

    with pytest.raises(GameOutcomeUnknown) as caught:
        await rig.client.hold(
            "u_1001",
            idempotency_key="k1",
            body=hold_body("r_77", Money(1000, "GBP"), Decimal("2.50")),
        )

    assert caught.value.reason == "protocol_error"
    assert len(rig.game.seen) == 1


async def test_a_body_that_was_not_made_for_a_hold_is_never_sent(rig: Rig) -> None:
    for body in (b"", b"{}", b'{"round_id":"r","amount":10,"currency":"GBP","auto_cashout":null}'):
        with pytest.raises(Invalid, match="not a hold's body"):
            await rig.client.hold("u_1001", idempotency_key="k1", body=body)

    assert rig.game.seen == []


async def test_confirm_gives_the_bet(rig: Rig) -> None:
    rig.game.will(rig.game.says(201, rig.game.bet()))

    bet = await rig.client.confirm("u_1001", "h_1", "k2")

    assert (bet.ticket_id, bet.status, bet.amount) == ("t_1", BetStatus.ACTIVE, Money(1000, "GBP"))
    assert bet.cashout_multiplier is None
    assert rig.game.seen[0].path == "/api/v1/bets/holds/h_1/confirm"


async def test_confirming_one_hold_and_hearing_of_another_is_unknown(rig: Rig) -> None:
    rig.game.will(rig.game.says(201, rig.game.bet(hold_id="h_2")))

    with pytest.raises(GameOutcomeUnknown):
        await rig.client.confirm("u_1001", "h_1", "k2")


async def test_a_release_may_answer_with_the_hold_or_with_nothing(rig: Rig) -> None:
    async def empty(_: web.Request) -> web.StreamResponse:
        return web.Response(status=200)

    rig.game.will(
        rig.game.says(200, rig.game.hold(status="released")),
        rig.game.says(200, {}),
        empty,
        rig.game.says(200, rig.game.hold(hold_id="h_2")),
    )

    for _ in range(3):
        await rig.client.release("u_1001", "h_1", "k3")
    with pytest.raises(GameOutcomeUnknown):
        await rig.client.release("u_1001", "h_1", "k3")


async def test_a_cash_out_carries_its_exact_multiplier_and_pending_payout(rig: Rig) -> None:
    rig.game.will(
        rig.game.says(
            200,
            '{"ticket_id":"t_1","multiplier":2.340,"payout":{"transaction_id":"x_9",'
            '"amount":"23.40","currency":"GBP","status":"pending"}}',
        )
    )

    cash_out = await rig.client.cashout("u_1001", "t_1", "k4")

    assert str(cash_out.multiplier) == "2.340"
    assert cash_out.payout.amount == Money(2340, "GBP")
    assert cash_out.payout.status is PayoutStatus.PENDING
    assert cash_out.payout.ticket_id == "t_1"


async def test_a_payout_is_what_was_asked_for(rig: Rig) -> None:
    payout = {
        "transaction_id": "x_9",
        "ticket_id": "t_1",
        "amount": "23.40",
        "currency": "GBP",
        "status": "completed",
        "completed_at": "2026-01-01T12:00:09Z",
    }
    rig.game.will(
        rig.game.says(200, payout),
        rig.game.says(200, payout | {"transaction_id": "x_8"}),
        rig.game.says(200, payout | {"status": "on its way"}),
        rig.game.says(200, payout | {"amount": "0.00"}),
        rig.game.says(200, payout | {"amount": "-23.40"}),
    )

    found = await rig.client.payout("u_1001", "x_9")

    assert found.status is PayoutStatus.COMPLETED
    assert found.completed_at == datetime(2026, 1, 1, 12, 0, 9, tzinfo=UTC)
    for _ in range(4):
        with pytest.raises(GameProtocolError):
            await rig.client.payout("u_1001", "x_9")


async def test_a_key_leads_to_hold_bet_or_nothing(rig: Rig) -> None:
    rig.game.will(
        rig.game.says(200, {"hold": None, "bet": None}),
        rig.game.says(200, {"hold": rig.game.hold(status="confirmed"), "bet": rig.game.bet()}),
        rig.game.says(200, {"hold": rig.game.hold(user_id="u_2"), "bet": None}),
        rig.game.says(200, {"hold": rig.game.hold(), "bet": rig.game.bet(hold_id="h_2")}),
        rig.game.says(200, {"hold": None}),
    )

    nothing = await rig.client.bet_by_key("u_1001", "k 1&x=y")
    both = await rig.client.bet_by_key("u_1001", "k1")

    assert (nothing.hold, nothing.bet) == (None, None)
    assert both.hold is not None
    assert both.bet is not None
    assert both.bet.ticket_id == "t_1"
    assert rig.game.seen[0].path == "/api/v1/bets?idempotency_key=k%201%26x%3Dy"
    for _ in range(3):
        with pytest.raises(GameProtocolError):
            await rig.client.bet_by_key("u_1001", "k1")


async def test_a_cashed_out_bet_names_its_payout(rig: Rig) -> None:
    text = json.dumps(
        rig.game.bet(status="cashed_out", cashout_multiplier=3.5, payout_transaction_id="x_9")
    ).replace("3.5", "3.50")
    rig.game.will(rig.game.says(200, text))

    bet = await rig.client.bet("u_1001", "t_1")

    assert bet.status is BetStatus.CASHED_OUT
    assert str(bet.cashout_multiplier) == "3.50"
    assert bet.payout_transaction_id == "x_9"


ROUND = {
    "round_id": "r_76",
    "status": "crashed",
    "crash_multiplier": 4.2,
    "started_at": "2026-01-01T11:59:00Z",
    "crashed_at": "2026-01-01T11:59:20Z",
    "participants": 3,
}


async def test_rounds_come_as_a_page(rig: Rig) -> None:
    rig.game.will(rig.game.says(200, [ROUND]), rig.game.says(200, {"rounds": [ROUND, ROUND]}))

    assert [r.round_id for r in await rig.client.rounds(20, before="r_77")] == ["r_76"]
    assert len(await rig.client.rounds()) == 2
    assert [seen.path for seen in rig.game.seen] == [
        "/api/v1/game/rounds?limit=20&before=r_77",
        "/api/v1/game/rounds?limit=50",
    ]


async def test_a_page_of_no_rounds_is_not_asked_for(rig: Rig) -> None:
    with pytest.raises(Invalid):
        await rig.client.rounds(0)

    assert rig.game.seen == []


async def test_a_round_is_the_one_asked_for(rig: Rig) -> None:
    rig.game.will(rig.game.says(200, ROUND))

    assert (await rig.client.round("r_76")).status is RoundStatus.CRASHED
    with pytest.raises(GameProtocolError, match="r_76"):
        await rig.client.round("r_75")


async def test_a_round_that_has_not_changed_is_not_sent_again(rig: Rig) -> None:
    rig.game.will(
        rig.game.says(200, ROUND, ETag='"v1"', Last_Modified="Thu, 01 Jan 2026 11:59:20 GMT"),
        rig.game.says(304, "", ETag='"v1"'),
    )

    first = await rig.client.round_answer("r_76")
    again = await rig.client.round_answer(
        "r_76", etag=first.etag, last_modified=first.last_modified
    )

    assert first.round is not None
    assert first.round.crash_multiplier == Decimal("4.2")
    assert again.round is None
    assert (again.etag, again.last_modified) == ('"v1"', "Thu, 01 Jan 2026 11:59:20 GMT")
    assert rig.game.seen[1].headers["If-None-Match"] == '"v1"'
    assert rig.game.seen[1].headers["If-Modified-Since"] == "Thu, 01 Jan 2026 11:59:20 GMT"


async def test_304_to_a_question_without_validators_is_no_answer(rig: Rig) -> None:
    rig.game.will(rig.game.says(304, ""))

    with pytest.raises(GameProtocolError):
        await rig.client.round("r_76")


@pytest.mark.parametrize("user_id", ["", " u", "u\nX-Evil: 1", "u\x00", "u" * 300])
async def test_a_user_that_cannot_travel_in_a_header_is_never_sent(rig: Rig, user_id: str) -> None:
    with pytest.raises(Invalid):
        await rig.client.balance(user_id, "GBP")

    assert rig.game.seen == []


async def test_dots_climb_out_of_no_path(rig: Rig) -> None:
    with pytest.raises(Invalid):
        await rig.client.bet("u_1001", "..")

    assert rig.game.seen == []
