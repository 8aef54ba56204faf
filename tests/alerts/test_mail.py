"""E-mail: plain, encrypted where it leaves the machine, and with nothing to inject."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recon.alerts import Alerting, find_alerts, send_due, tell_broken_chain
from tests.alerts.conftest import open_post
from tests.alerts.plain import policy

if TYPE_CHECKING:
    import ssl
    from email.message import EmailMessage

    from recon.alerts import Mailbox
    from tests.alerts.conftest import Books, Post


def part_of(letter: EmailMessage, kind: str) -> str:
    part = letter.get_body(preferencelist=(kind,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


async def send(books: Books, mailbox: Mailbox) -> str | None:
    """Have one message sent; what is written down of it."""
    alerting = Alerting(policy=policy(), channels=[mailbox])
    await books.differs("u_1", "10.00")
    await books.look(alerting)
    said: str | None = await books.pool.fetchval("SELECT last_error FROM alert_deliveries")
    return said


async def test_a_letter_says_it_as_text_and_as_html_and_comes_once(
    books: Books, post: Post
) -> None:
    alerting = Alerting(policy=policy(), channels=[post.mailbox()])
    found = await books.differs("<b>u_1</b>", "10.00")
    await books.look(alerting)
    await books.look(alerting)

    (letter,) = post.letters
    assert post.to == [["finance@example.com", "risk@example.com"]]
    assert letter["From"] == "recon@example.com"
    assert letter["To"] == "finance@example.com, risk@example.com"
    assert letter["Subject"].strip() == (
        "[recon sandbox] 1 discrepancy stands unexplained: 10.00 GBP in 1 wallet"
    )
    assert letter["Auto-Submitted"] == "auto-generated"
    alert_id = await books.pool.fetchval("SELECT alert_id FROM alerts")
    assert letter["Message-ID"] == f"<{alert_id.hex}@example.com>"
    text, html = part_of(letter, "plain"), part_of(letter, "html")
    assert "1 discrepancy stands unexplained: 10.00 GBP in 1 wallet." in text
    assert "10.00  10.00  GBP  high  <b>u_1</b>" in text
    assert "https://recon.example/discrepancies\n" in text
    assert "<td>&lt;b&gt;u_1&lt;/b&gt;</td>" in html
    assert str(found) in html
    assert "<b>" not in html
    assert await books.ways() == [("email", "sent", 1)]


async def test_nothing_that_is_said_becomes_a_header(books: Books, post: Post) -> None:
    alerting = Alerting(policy=policy(), channels=[post.mailbox()])
    await find_alerts(books.pool, alerting)
    reason = "seal 7 is gone\r\nBcc: thief@example.com\r\n\r\n<script>"
    assert await tell_broken_chain(books.pool, alerting, reason) is not None
    assert await tell_broken_chain(books.pool, alerting, reason) is None, "once a day"
    await send_due(books.pool, alerting)

    (letter,) = post.letters
    assert letter["Bcc"] is None
    assert letter["Subject"].strip() == (
        "[recon sandbox] Nothing is sealed any more: seal 7 is gone Bcc: thief@example.com <script>"
    )
    assert "<script>" not in part_of(letter, "html")


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_letter_travels_encrypted_and_signs_in_only_there(
    books: Books, certificate: ssl.SSLContext, security: str
) -> None:
    tls = {"tls" if security == "tls" else "starttls": certificate}
    async with open_post(**tls) as post:
        said = await send(
            books, post.mailbox(security=security, username="recon", password="a secret")
        )

    assert said == "accepted: taken"
    assert post.was_encrypted == [True]
    assert post.signed_in == [("recon", "a secret")]


@pytest.mark.parametrize("password", [None, "a secret"])
async def test_a_server_that_offers_no_starttls_gets_no_letter_and_no_password(
    books: Books, post: Post, password: str | None
) -> None:
    username = None if password is None else "recon"
    said = await send(
        books, post.mailbox(security="starttls", username=username, password=password)
    )

    assert said is not None
    assert "STARTTLS" in said
    assert (post.letters, post.signed_in) == ([], [])
    assert await books.ways() == [("email", "pending", 1)]


async def test_a_server_whose_certificate_nobody_vouches_for_gets_no_letter(
    books: Books, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with open_post(tls=certificate) as post:
        said = await send(books, post.mailbox(security="tls"))

    assert said is not None
    assert "certificate" in said.lower()
    assert post.letters == []


async def test_a_server_that_refuses_for_now_gets_the_letter_later(
    books: Books, post: Post
) -> None:
    post.failures = ["451-try\x1b[2J again\r\n451 later"]
    assert await send(books, post.mailbox()) == "451 try?[2J again later"
    assert await books.ways() == [("email", "pending", 1)]


async def test_one_recipient_that_is_refused_costs_the_others_nothing(
    books: Books, post: Post
) -> None:
    post.refused = {"risk@example.com": "550 nobody here"}
    said = await send(books, post.mailbox())

    assert said == "taken for 1 of 2; 550 nobody here"
    assert post.to == [["finance@example.com"]]
    assert await books.ways() == [("email", "sent", 1)]


async def test_where_every_recipient_is_refused_nothing_was_sent(books: Books, post: Post) -> None:
    post.refused = dict.fromkeys(post.mailbox().recipients, "550 nobody here")
    said = await send(books, post.mailbox())

    assert said is not None
    assert said.startswith("nobody was accepted: 550 nobody here")
    assert await books.ways() == [("email", "pending", 1)]


def test_the_password_is_in_no_repr(post: Post) -> None:
    assert "a secret" not in repr(post.mailbox(password="a secret"))
