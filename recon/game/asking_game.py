"""Asking for the game's state, its rounds and a player's balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.game import wire
from recon.game.asking import Asking, header, must_match, quoted, segment
from recon.game.attempts import Call
from recon.game.errors import GameProtocolError
from recon.game.model import RoundAnswer
from recon.game.pace import Priority
from recon.game.round_cache import RoundCache
from recon.money import exponent_of

if TYPE_CHECKING:
    from recon.game.calling import Caller
    from recon.game.model import GameBalance, GameRound, GameState
    from recon.game.verdicts import Answer

__all__ = ["GameCalls"]

_NOT_MODIFIED: Final = 304


class GameCalls(Asking):
    """The calls that only read."""

    def __init__(self, caller: Caller) -> None:
        super().__init__(caller)
        self._rounds = RoundCache(caller.now)

    async def state(self) -> GameState:
        """The round that is on now; never cached."""
        return await self._get("/api/v1/game/state", "/api/v1/game/state", wire.read_state)

    async def rounds(self, limit: int = 50, before: str | None = None) -> tuple[GameRound, ...]:
        """A page of rounds, newest first.

        Args:
            limit: at most so many, 1 or more.
            before: only rounds older than this one.
        """
        if limit < 1:
            raise Invalid("a page holds one round or more")
        target = f"/api/v1/game/rounds?limit={limit}"
        if before is not None:
            target += f"&before={quoted(before, 'round id')}"
        return await self._get("/api/v1/game/rounds", target, wire.read_rounds)

    async def round(self, round_id: str) -> GameRound:
        """One round; a finished one, a few minutes old, may be a copy that still holds."""
        kept = self._rounds.kept(round_id)
        if kept is None:
            answer = await self.round_answer(round_id)
        elif self._rounds.is_fresh(kept):
            return kept.round
        else:
            answer = await self.round_answer(
                round_id, etag=kept.etag, last_modified=kept.last_modified
            )
            if answer.round is None:
                return self._rounds.renewed(kept, answer)
        if answer.round is None:
            raise GameProtocolError(f"304 about round {round_id}, of which no copy was named")
        self._rounds.learned(answer.round, answer)
        return answer.round

    async def round_answer(
        self, round_id: str, *, etag: str | None = None, last_modified: str | None = None
    ) -> RoundAnswer:
        """One round with its validators, or word that the copy with these still holds."""
        validators = {
            name: header(value, "validator")
            for name, value in (("If-None-Match", etag), ("If-Modified-Since", last_modified))
            if value is not None
        }

        def read(answer: Answer) -> RoundAnswer:
            new_etag = answer.headers.get("ETag")
            new_modified = answer.headers.get("Last-Modified")
            control = answer.headers.get("Cache-Control")
            if answer.status == _NOT_MODIFIED:
                return RoundAnswer(None, new_etag or etag, new_modified or last_modified, control)
            found = wire.read_round(answer.body)
            must_match("round", round_id, found.round_id)
            return RoundAnswer(found, new_etag, new_modified, control)

        target = f"/api/v1/game/rounds/{segment(round_id, 'round id')}"
        return await self._caller.make(
            Call("GET /api/v1/game/rounds/{round_id}", target, read, validators=validators)
        )

    async def balance(
        self, user_id: str, currency: str, *, wanted_as: Priority = Priority.SWEEP
    ) -> GameBalance:
        """A player's balance in one currency; never cached.

        Args:
            user_id: whose.
            currency: which.
            wanted_as: which calls it goes before.
        """
        exponent_of(currency)

        def read(body: bytes) -> GameBalance:
            found = wire.read_balance(body)
            must_match("user", user_id, found.user_id)
            must_match("currency", currency, found.currency)
            return found

        path = "/api/v1/user/balance"
        return await self._get(path, f"{path}?currency={currency}", read, user_id, wanted_as)
