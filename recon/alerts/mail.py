"""Send a message by e-mail: plain text, the same as plain HTML, and what is attached."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from recon.alerts.model import AlertType, Outcome
from recon.alerts.wording import letter_of
from recon.clock import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aiosmtplib

    from recon.alerts.model import Attachment, Message

__all__ = ["Mailbox"]

_STEP_TIMEOUT_S: Final = 10.0
_TIMEOUT_S: Final = 30.0
_GOODBYE_S: Final = 2.0
# Source: RFC 4954, section 6.
_OF_SIGN_IN: Final = frozenset({432, 454, 500, 530, 534, 535, 538})
_LONGEST_DETAIL: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """People who read e-mail, and the server that takes it to them.

    Args:
        host: the server's.
        port: its port.
        security: ``starttls`` insists on it, ``tls`` is from the first byte, ``none`` is for this
            machine alone.
        username: and
        password: to sign in with; both ``None``: as nobody.
        sender: the address that it is from.
        recipients: those whom it is to.
        wants: the types of messages that they want.
    """

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    username: str | None
    password: str | None = field(repr=False)
    sender: str
    recipients: Sequence[str]
    wants: frozenset[AlertType]

    @property
    def name(self) -> str:
        """As deliveries know it."""
        return "email"

    @property
    def target(self) -> str:
        """A hash of the server and of whom it is to."""
        return sha256(" ".join([self.host, str(self.port), *self.recipients]).encode()).hexdigest()

    @property
    def attaches(self) -> bool:
        """Files come along."""
        return True

    async def deliver(self, message: Message, attachment: Attachment | None) -> Outcome:
        """Hand it to the server once; delivered is what the server has taken for anybody."""
        import aiosmtplib  # noqa: PLC0415 - takes its time, and only who mails needs it

        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            use_tls=self.security == "tls",
            start_tls=self.security == "starttls",
            tls_context=None if self.security == "none" else ssl.create_default_context(),
            # Its own default asks the resolver, and waits for it.
            local_hostname=socket.gethostname(),
            timeout=_STEP_TIMEOUT_S,
        )
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await client.connect()
                refused, said = await client.send_message(
                    self._letter(message, attachment),
                    sender=self.sender,
                    recipients=list(self.recipients),
                )
        except TimeoutError:
            return Outcome(delivered=False, reached=False, detail="no answer in time")
        except aiosmtplib.SMTPResponseException as error:
            return Outcome(delivered=False, detail=_words(_refusal(error)))
        except aiosmtplib.SMTPRecipientsRefused as error:
            answers = "; ".join(f"{one.code} {one.message}" for one in error.recipients)
            return Outcome(delivered=False, detail=_words(f"nobody was accepted: {answers}"))
        except (aiosmtplib.SMTPException, OSError) as error:
            return Outcome(delivered=False, reached=False, detail=_words(_reason(error)))
        finally:
            await _leave(client)
        if refused:
            codes = "; ".join(f"{one.code} {one.message}" for one in refused.values())
            said = f"taken for {len(self.recipients) - len(refused)} of {len(self.recipients)}"
            return Outcome(delivered=True, detail=_words(f"{said}; {codes}"))
        return Outcome(delivered=True, detail=_words(f"accepted: {said}"))

    def _letter(self, message: Message, attachment: Attachment | None) -> EmailMessage:
        letter = letter_of(message, attachment)
        mail = EmailMessage(policy=SMTP)
        mail["From"] = self.sender
        mail["To"] = ", ".join(self.recipients)
        mail["Subject"] = " ".join(letter.subject.split())
        mail["Date"] = format_datetime(now())
        # The same each time: mail programs know a repeat by it.
        mail["Message-ID"] = f"<{message.alert_id.hex}@{self.sender.rpartition('@')[2]}>"
        # Source: RFC 3834, section 5: no answering machine answers this.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(letter.text)
        mail.add_alternative(letter.html, subtype="html")
        if attachment is not None:
            mail.add_attachment(
                attachment.content, maintype="text", subtype="csv", filename=attachment.name
            )
        return mail


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Say goodbye, whatever comes of it: a letter that was taken stays taken."""
    with suppress(Exception):
        async with asyncio.timeout(_GOODBYE_S):
            await client.quit()
    client.close()


def _refusal(error: aiosmtplib.SMTPResponseException) -> str:
    # What a server says of a password may be the password.
    is_of_sign_in = error.code in _OF_SIGN_IN
    return f"{error.code} {'it refused our user or password' if is_of_sign_in else error.message}"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _words(text: str) -> str:
    """What the server said on one line, shortened; what does not print fits no database."""
    line = " ".join(text.split())[:_LONGEST_DETAIL]
    return "".join(sign if sign.isprintable() else "?" for sign in line)
