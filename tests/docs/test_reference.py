"""What the reference says is what the service does."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import asyncpg

from recon.ledger import rules
from recon.money import Money
from recon.settings import Settings
from tests.docs.api_reference import PATH, reference
from tests.docs.blocks import DOCUMENTS, ROOT, Block
from tests.docs.test_snippets import given, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.docs.conftest import Shell

Move = tuple[str, str, str]

_LEDGER: Final = ROOT / "docs" / "ledger.md"
_AT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ID: Final = UUID(int=7)
_ROW: Final = re.compile(r"^\| `([\w.]+)` \| (\w+) \| (\w+) \|", re.MULTILINE)
_LINK: Final = re.compile(r"\]\(([^)#]+)(?:#([^)]*))?\)|\]\(#([^)]*)\)")

_EVENTS: Final = """
send() {
  recon webhooks send standard "$1" --reference "$2" --user u_5 --url http://127.0.0.1:8080
}
withdrawal() {
  api POST /payments '{"reference": "'$1'", "endpoint": "standard", "direction": "withdrawal",
    "user_id": "u_5", "amount": "10.00", "currency": "GBP"}'
}
for payment in a b c d; do send deposit.succeeded $payment; done
send deposit.failed a
send deposit.refunded b
send deposit.charged_back c
send deposit.chargeback_reversed c
send withdrawal.paid nobody-registered-it
withdrawal w1; send withdrawal.failed w1
withdrawal w2; send withdrawal.paid w2; send withdrawal.returned w2
withdrawal w3; send withdrawal.returned w3
"""


def test_the_api_reference_is_that_of_the_openapi_document() -> None:
    assert PATH.read_text() == reference(), "python -m tests.docs.api_reference writes it anew"


async def test_what_the_ledger_books_stands_in_its_table(shell: Shell) -> None:
    written = set(_ROW.findall(_LEDGER.read_text()))
    events = Block("what PSPs tell", "sh", _EVENTS, None, follows=False)
    await run([*given(ROOT / "docs" / "how-to" / "call-the-api.md"), events], shell)

    connection = await asyncpg.connect(shell.environment["RECON_DATABASE_URL"])
    rows = await connection.fetch("SELECT DISTINCT kind, debit, credit FROM postings")
    await connection.close()
    booked = {(row["kind"], row["debit"], row["credit"]) for row in rows}

    assert booked <= written
    assert len(booked) >= 10
    assert bets_and_people() <= written
    assert {kind for kind, _, _ in written} <= {
        kind for kind, _, _ in booked | bets_and_people()
    } | {
        "deposit.refund_failed"  # only Stripe and Adyen have an event of it
    }


def bets_and_people() -> set[Move]:
    """What the rules book for a bet and for an adjustment."""
    amount = Money(500, "GBP")
    steps = (
        rules.stake_held,
        rules.stake_captured,
        rules.stake_voided,
        rules.stake_returned,
        rules.payout,
    )
    entries = [step("u_5", amount, bet_id=_ID, event_at=_AT) for step in steps]
    entries.append(rules.adjustment("u_5", amount, adjustment_id=_ID, event_at=_AT))
    return {(entry.kind, str(entry.debit), str(entry.credit)) for entry in entries}


def test_every_setting_stands_in_its_table() -> None:
    written = set(re.findall(r"`([\w<>]+)`", (ROOT / "docs" / "settings.md").read_text()))
    assert len(Settings.model_fields) > 30
    missing = [
        name
        for name in Settings.model_fields
        if not any(f"RECON_{name}".upper() in said or named_short(name, said) for said in written)
    ]
    assert missing == []


def named_short(name: str, said: str) -> bool:
    """`_API_KEY` stands behind `RECON_GAME_URL` for `RECON_GAME_API_KEY`."""
    return said.startswith("_") and f"_{name}".upper().endswith(said)


def test_every_link_leads_somewhere() -> None:
    lost = [
        f"{document.relative_to(ROOT)}: {target}#{anchor}"
        for document in DOCUMENTS
        for target, anchor, own in _LINK.findall(without_code(document.read_text()))
        if not leads(document, target, anchor or own)
    ]
    assert lost == []


def leads(document: Path, target: str, anchor: str) -> bool:
    """Whether a link's file is there, and in Markdown its heading too."""
    if "://" in target:
        return True
    path = (document.parent / target).resolve() if target else document
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in headings(path.read_text())


def headings(text: str) -> set[str]:
    """The anchors that a Markdown page gives its headings."""
    found = re.findall(r"^#+ (.+)$", without_code(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in found}


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
