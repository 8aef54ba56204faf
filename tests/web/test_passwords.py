"""Passwords are hashed as the library says one should, whoever signs in."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from recon.errors import Invalid, Unavailable
from recon.web.auth.passwords import check_password, hash_password, refuse_if_busy

PASSWORD = "correct horse battery"
AS_RECOMMENDED = "$argon2id$v=19$m=65536,t=3,p=4$"  # RFC 9106, section 4, the second choice


@pytest.fixture
def light_hashes() -> None:
    """None here: it is the real ones that are looked at."""


async def test_a_hash_is_argon2id_with_the_recommended_cost_and_its_own_salt() -> None:
    one, other = await hash_password(PASSWORD), await hash_password(PASSWORD)

    assert one.startswith(AS_RECOMMENDED)
    assert one != other
    assert await check_password(PASSWORD, one) == (True, None)
    assert await check_password("correct horse batterz", one) == (False, None)


async def test_a_hash_of_lesser_cost_still_lets_in_and_is_replaced() -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)

    right, fresh = await check_password(PASSWORD, old)

    assert right
    assert fresh is not None
    assert fresh.startswith(AS_RECOMMENDED)
    assert await check_password(PASSWORD, fresh) == (True, None)
    assert await check_password("a wrong sentence", old) == (False, None)


async def test_who_does_not_exist_costs_as_much_as_who_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verified: list[str] = []
    verify = PasswordHasher.verify

    def noted(self: PasswordHasher, stored: str, password: str) -> bool:
        verified.append(stored)
        return verify(self, stored, password)

    monkeypatch.setattr(PasswordHasher, "verify", noted)

    assert await check_password(PASSWORD, None) == (False, None)
    (decoy,) = verified
    assert decoy.startswith(AS_RECOMMENDED)


@pytest.mark.parametrize("password", ["eleven char", "x" * 1025])
async def test_a_password_too_short_or_too_long_is_not_stored(password: str) -> None:
    with pytest.raises(Invalid, match="12 to 1024"):
        await hash_password(password)


async def test_a_password_too_long_is_wrong_whatever_is_stored() -> None:
    assert await check_password("x" * 1025, await hash_password("x" * 1024)) == (False, None)


async def test_a_flood_of_passwords_waits_in_a_line_that_has_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    let_go = threading.Event()
    looked_at: list[None] = []
    at_once = []

    def slow(password: str, stored: str | None) -> tuple[bool, None]:
        del password, stored
        looked_at.append(None)
        at_once.append(len(looked_at))
        let_go.wait(60)
        looked_at.pop()
        return True, None

    monkeypatch.setattr("recon.web.auth.passwords._check", slow)
    monkeypatch.setattr("recon.web.auth.passwords._MOST_IN_LINE", 8)
    async with asyncio.TaskGroup() as group:
        for _ in range(8):
            refuse_if_busy()
            group.create_task(check_password(PASSWORD, None))
            await asyncio.sleep(0)
        try:
            with pytest.raises(Unavailable) as refused:
                refuse_if_busy()
        finally:
            let_go.set()

    assert refused.value.code == "sign_in_busy"
    assert len(at_once) == 8
    assert max(at_once) <= 2
    await asyncio.sleep(0)
    refuse_if_busy()
