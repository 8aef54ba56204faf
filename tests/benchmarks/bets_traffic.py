"""Bets as a lobby's backend places them through the internal API, ready to be sent."""

from __future__ import annotations

import json
from dataclasses import dataclass

__all__ = ["STAKE", "BetTraffic", "player_name"]

STAKE = "0.01"


def player_name(number: int) -> str:
    """The id of one of the players."""
    return f"p_{number:06d}"


@dataclass(frozen=True, slots=True)
class BetTraffic:
    """What is to be sent; the same again with the same ``batch``, which makes it repeats.

    Args:
        count: bets.
        users: players that take turns.
        batch: begins every Idempotency-Key.
        round_id: takes all the bets.
        api_key: of the caller.
    """

    count: int
    users: int
    batch: str
    round_id: str
    api_key: str

    def requests(self, host: str) -> list[bytes]:
        """One HTTP request each."""
        return [self._request(host, number) for number in range(self.count)]

    def _request(self, host: str, number: int) -> bytes:
        wish = {
            "user_id": player_name(number % self.users),
            "round_id": self.round_id,
            "amount": STAKE,
            "currency": "GBP",
            "auto_cashout": None,
        }
        body = json.dumps(wish, separators=(",", ":")).encode()
        head = (
            "POST /api/v1/bets HTTP/1.1\r\n"
            f"Host: {host}\r\n"
            "Content-Type: application/json\r\n"
            f"Authorization: Bearer {self.api_key}\r\n"
            f"Idempotency-Key: {self.batch}-{number}\r\n"
            f"Content-Length: {len(body)}\r\n"
            "\r\n"
        )
        return head.encode() + body
