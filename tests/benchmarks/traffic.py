"""Signed deposits as a Standard Webhooks sender makes them, ready to be sent."""

from __future__ import annotations

import json
import random
import time
from dataclasses import dataclass

from recon.clock import format_time, new_id, now
from recon.webhooks.psp.standard_webhooks import sign

__all__ = ["ENDPOINT", "SECRET", "Traffic", "user_name"]

ENDPOINT = "bench"
SECRET = "whsec_YmVuY2htYXJrLXNlY3JldC1vZi0zMi1ieXRlcy4="


def user_name(number: int) -> str:
    """The id of one of the players."""
    return f"u_{number:07d}"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What is to be sent.

    Args:
        count: deliveries.
        users: players among whom they are spread evenly at random.
        references: name a registered payment each, by place and prefix, instead of the player.
    """

    count: int
    users: int
    references: str | None = None

    def requests(self, host: str) -> list[bytes]:
        """One HTTP request each, signed now; good for five minutes.

        Message ids grow with time, as the KSUIDs of the scheme's own senders do. Payment ids are
        random: the worse case for an index.
        """
        return [self._request(host, number) for number in range(self.count)]

    def _request(self, host: str, number: int) -> bytes:
        data = {
            "payment_id": f"pay_{random.getrandbits(88):022x}",
            "amount": "20.00",
            "currency": "GBP",
        }
        if self.references is None:
            data["user_id"] = user_name(random.randrange(self.users))  # noqa: S311 - no secret
        else:
            data["reference"] = f"{self.references}{number}"
        body = json.dumps(
            {"type": "deposit.succeeded", "timestamp": format_time(now()), "data": data},
            separators=(",", ":"),
        ).encode()
        message_id = f"msg_{new_id().hex}"
        timestamp = str(int(time.time()))
        head = (
            f"POST /webhooks/{ENDPOINT} HTTP/1.1\r\n"
            f"Host: {host}\r\n"
            "Content-Type: application/json\r\n"
            "User-Agent: Svix-Webhooks/1.62\r\n"
            f"Content-Length: {len(body)}\r\n"
            f"webhook-id: {message_id}\r\n"
            f"webhook-timestamp: {timestamp}\r\n"
            f"webhook-signature: {sign(SECRET, message_id, timestamp, body)}\r\n"
            "\r\n"
        )
        return head.encode() + body
