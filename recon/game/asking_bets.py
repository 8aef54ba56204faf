"""Placing bets and cashing them out, and asking what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.game import wire
from recon.game.asking import Asking, must_match, quoted, segment
from recon.game.pace import Priority

if TYPE_CHECKING:
    from recon.game.model import Bet, CashOut, Hold, KeyOutcome, Payout

__all__ = ["BetCalls"]

_EMPTY_BODY: Final = b"{}"


class BetCalls(Asking):
    """The signed calls and the questions that settle their outcome."""

    async def hold(self, user_id: str, *, idempotency_key: str, body: bytes) -> Hold:
        """Ask the game to set a stake aside.

        Args:
            user_id: whose stake.
            idempotency_key: one per intent, the same for ever.
            body: the bytes of `hold_body`, kept by the caller before this call.
        """
        asked = wire.read_hold_request(body)
        stake, target = asked.stake(), asked.target()

        def read(answer: bytes) -> Hold:
            hold = wire.read_hold(answer)
            must_match("user", user_id, hold.user_id)
            must_match("round", asked.round_id, hold.round_id)
            must_match("stake", stake, hold.amount)
            must_match("auto_cashout", target, hold.auto_cashout)
            return hold

        path = "/api/v1/bets/holds"
        return await self._post(path, path, read, user_id, idempotency_key, body)

    async def confirm(self, user_id: str, hold_id: str, idempotency_key: str) -> Bet:
        """Turn a hold into a bet."""

        def read(body: bytes) -> Bet:
            bet = wire.read_bet(body)
            must_match("user", user_id, bet.user_id)
            must_match("hold", hold_id, bet.hold_id)
            return bet

        target = f"/api/v1/bets/holds/{segment(hold_id, 'hold id')}/confirm"
        operation = "/api/v1/bets/holds/{hold_id}/confirm"
        return await self._post(operation, target, read, user_id, idempotency_key, _EMPTY_BODY)

    async def release(self, user_id: str, hold_id: str, idempotency_key: str) -> None:
        """Give a hold's stake back to the player."""

        def read(body: bytes) -> None:
            released = wire.read_release(body)
            if released is not None:
                must_match("hold", hold_id, released)

        target = f"/api/v1/bets/holds/{segment(hold_id, 'hold id')}/release"
        operation = "/api/v1/bets/holds/{hold_id}/release"
        await self._post(operation, target, read, user_id, idempotency_key, _EMPTY_BODY)

    async def cashout(self, user_id: str, ticket_id: str, idempotency_key: str) -> CashOut:
        """Cash a bet out at the multiplier of this moment."""

        def read(body: bytes) -> CashOut:
            cash_out = wire.read_cash_out(body)
            must_match("ticket", ticket_id, cash_out.ticket_id)
            return cash_out

        target = f"/api/v1/bets/{segment(ticket_id, 'ticket id')}/cashout"
        operation = "/api/v1/bets/{ticket_id}/cashout"
        return await self._post(operation, target, read, user_id, idempotency_key, _EMPTY_BODY)

    async def bet(
        self, user_id: str, ticket_id: str, *, wanted_as: Priority = Priority.SETTLEMENT
    ) -> Bet:
        """A bet by its ticket; ``wanted_as`` says which calls the question goes before."""

        def read(body: bytes) -> Bet:
            bet = wire.read_bet(body)
            must_match("user", user_id, bet.user_id)
            must_match("ticket", ticket_id, bet.ticket_id)
            return bet

        target = f"/api/v1/bets/{segment(ticket_id, 'ticket id')}"
        return await self._get("/api/v1/bets/{ticket_id}", target, read, user_id, wanted_as)

    async def bet_by_key(
        self, user_id: str, idempotency_key: str, *, wanted_as: Priority | None = None
    ) -> KeyOutcome:
        """What a hold's idempotency key led to: how an unknown outcome is settled.

        ``wanted_as`` as of `bet`; by itself it goes as what settles bets does.
        """

        def read(body: bytes) -> KeyOutcome:
            outcome = wire.read_key_outcome(body)
            for found in (outcome.hold, outcome.bet):
                if found is not None:
                    must_match("user", user_id, found.user_id)
            if outcome.hold is not None and outcome.bet is not None:
                must_match("hold", outcome.hold.hold_id, outcome.bet.hold_id)
                must_match("stake", outcome.hold.amount, outcome.bet.amount)
            return outcome

        path = "/api/v1/bets"
        target = f"{path}?idempotency_key={quoted(idempotency_key, 'idempotency key')}"
        return await self._get(path, target, read, user_id, wanted_as)

    async def payout(
        self, user_id: str, transaction_id: str, *, wanted_as: Priority = Priority.SETTLEMENT
    ) -> Payout:
        """A payout; only ``completed`` is definitive. ``wanted_as`` as of `bet`."""

        def read(body: bytes) -> Payout:
            payout = wire.read_payout(body)
            must_match("payout", transaction_id, payout.transaction_id)
            return payout

        target = f"/api/v1/payouts/{segment(transaction_id, 'transaction id')}"
        path = "/api/v1/payouts/{transaction_id}"
        return await self._get(path, target, read, user_id, wanted_as)
