"""A player's id is one that the game can be asked about."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.errors import Invalid
from recon.game.asking import header
from recon.payments import Direction, ExpectedPayment


def registering(user_id: str) -> ExpectedPayment:
    return ExpectedPayment("r-1", "stripe", Direction.DEPOSIT, user_id, "20.00", "GBP")


@pytest.mark.parametrize("user_id", ["u_7", "player@example.org", "玩家-7", "é" * 128, "a~b", "."])
def test_any_printable_id_is_a_player_s(user_id: str) -> None:
    registering(user_id).check()


@pytest.mark.parametrize(
    "user_id",
    [
        *("", " ", "a b", "a\u00a0b", "a\u3000b", "~standard:pay_1", "x" * 129),
        *("\u200bx", "x\u200b", "\ufeffx", "\u202ex", "\x00", "x\x85", "\ud800", "\ue000"),
    ],
)
def test_what_cannot_be_sent_or_shown_is_no_player_s(user_id: str) -> None:
    with pytest.raises(Invalid) as refused:
        registering(user_id).check()

    assert refused.value.code == "invalid_user_id"


@given(st.text(max_size=130))
def test_what_is_registered_can_be_sent_to_the_game(user_id: str) -> None:
    try:
        registering(user_id).check()
    except Invalid:
        return

    assert header(user_id, "user id").encode() == user_id.encode()
