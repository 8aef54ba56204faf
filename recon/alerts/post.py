"""Post a message to a webhook, signed by Standard Webhooks.

Where to is what the settings say and nothing else: redirects are not followed, no proxy of the
environment is used, and nothing of the answer is read but its status and ``Retry-After``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec

from recon import __version__
from recon.alerts.model import AlertType, Outcome
from recon.clock import now
from recon.webhooks.psp.standard_webhooks import sign

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recon.alerts.model import Attachment, Message

__all__ = ["Receiver"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)
_SUCCESSFUL: Final = range(200, 300)
_GONE: Final = 410
_MOST_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """A webhook of ours at somebody else's.

    Args:
        label: its name in the settings.
        url: where it is.
        secrets: ``whsec_…``, the newest first: while one is rotated, both sign.
        wants: the types of messages that go there.
    """

    label: str
    url: str
    secrets: Sequence[str] = field(repr=False)
    wants: frozenset[AlertType]

    @property
    def name(self) -> str:
        """As deliveries know it."""
        return f"webhook:{self.label}"

    @property
    def target(self) -> str:
        """A hash of its address."""
        return sha256(self.url.encode()).hexdigest()

    @property
    def attaches(self) -> bool:
        """A webhook is one document."""
        return False

    async def deliver(self, message: Message, attachment: Attachment | None) -> Outcome:
        """Post once; 2xx is delivered, 410 is for ever, anything else is tried again."""
        del attachment
        body = msgspec.json.encode(message.payload)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=_TIMEOUT,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    connector=aiohttp.TCPConnector(force_close=True),
                    auto_decompress=False,
                ) as session,
                session.post(
                    self.url,
                    data=body,
                    headers=self._headers(message, body),
                    allow_redirects=False,
                ) as response,
            ):
                status, asked = response.status, response.headers.get("Retry-After", "")
                response.close()
        except TimeoutError:
            return Outcome(
                delivered=False, reached=False, detail=f"no answer within {_TIMEOUT.total:g} s"
            )
        except (aiohttp.ClientError, OSError) as error:
            return Outcome(delivered=False, reached=False, detail=_reason(error))
        return Outcome(
            delivered=status in _SUCCESSFUL,
            detail=f"answered {status}",
            gone=status == _GONE,
            retry_after_s=_seconds(asked),
        )

    def _headers(self, message: Message, body: bytes) -> Mapping[str, str]:
        message_id = f"msg_{message.alert_id.hex}"
        timestamp = str(int(now().timestamp()))
        signatures = [sign(secret, message_id, timestamp, body) for secret in self.secrets]
        return {
            "Content-Type": "application/json",
            "User-Agent": f"recon/{__version__}",
            "webhook-id": message_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(signatures),
        }


def _reason(error: aiohttp.ClientError | OSError) -> str:
    """Why nobody was reached; never with the address, which may hold a secret."""
    cause = error.strerror if isinstance(error, OSError) else None
    return f"{type(error).__name__}: {cause}" if cause else type(error).__name__


def _seconds(retry_after: str) -> int | None:
    """``Retry-After`` in seconds from now, in either of its forms; ``None`` where it is neither.

    Source: RFC 9110, section 10.2.3. A number of any length is one, and Python reads no long ones.
    """
    if retry_after.isascii() and retry_after.isdigit():
        return int(retry_after[:_MOST_DIGITS])
    try:
        until = parsedate_to_datetime(retry_after)
        return max(0, int((until.replace(tzinfo=until.tzinfo or UTC) - now()).total_seconds()))
    except (ValueError, OverflowError):
        return None
