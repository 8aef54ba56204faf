"""What is the case and what to do next: each cause, each kind of evidence, money in and out."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from recon.reconciliation import Cause, Finding
from recon.web.advice.bets import OF_BETS
from recon.web.advice.payments import OF_PAYMENTS
from tests.reconciliation.cases import Cases
from tests.web.test_what_is_the_case import said_of

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site

IN, OUT = "+20.00", "-20.00"

# By kind, cause, finding and which way the game is apart: what is said, what to do, and what to
# know before the ledger is adjusted.
_W, _G, _D = Cause.MISSING_WEBHOOK, Cause.MISSING_GAME_UPDATE, Cause.DUPLICATE
_A, _B, _P = Cause.AMOUNT_MISMATCH, Cause.UNRESOLVED_BET, Cause.MISSED_PAYOUT
_TWICE = "out the other way"
_HERE, _THERE, _ADJUSTED = Finding.TWICE_HERE, Finding.TWICE_THERE, Finding.ADJUSTED
_FAILED, _SETTLED, _RULED = Finding.FAILED_HERE, Finding.SETTLED, Finding.RULED
CASES: Final[list[tuple[str, Cause, Finding | None, str, tuple[str, str, str]]]] = [
    ("payment", _W, None, IN, ("has a deposit that is registered", "send the event", _TWICE)),
    ("payment", _W, None, OUT, ("let a withdrawal go", "send the event", "take it once more")),
    ("payment", _W, _FAILED, IN, ("reported here that it failed", "came after all", _TWICE)),
    ("payment", _G, None, IN, ("still shows its money", "take it off", "once more")),
    ("delivery", _W, None, IN, ("money that came in, and its", "Open the delivery", "twice")),
    ("delivery", _W, None, OUT, ("money that went out, and its", "Open the delivery", "twice")),
    ("delivery", _A, None, IN, ("reported another amount", "Compare both", "that was paid")),
    ("delivery", _A, None, OUT, ("reported another amount", "Compare both", "that was paid")),
    ("posting", _G, None, IN, ("gone out by our books", "take it off", "gives the money back")),
    ("posting", _G, None, OUT, ("come in by our books", "credit it", "takes it back")),
    ("posting", _D, _HERE, IN, ("went out is booked here twice", "add it back", "one payment")),
    ("posting", _D, _HERE, OUT, ("came in is booked here twice", "take it back", "one payment")),
    ("posting", _D, _THERE, IN, ("credited twice", "take one back", "nothing to put right here")),
    ("posting", _D, _THERE, OUT, ("taken off twice", "give one back", "nothing to put right here")),
    ("posting", _D, _ADJUSTED, IN, ("took money off here", "add it back", "why the adjustment")),
    ("posting", _D, _ADJUSTED, OUT, ("added money here", "take it back", "why the adjustment")),
    ("posting", _D, None, IN, ("counted twice", "Find which side", "operator puts right")),
    ("posting", _D, None, OUT, ("counted twice", "Find which side", "operator puts right")),
    ("posting", _A, None, IN, ("for another amount than is", "Compare both", "that was paid")),
    ("posting", _A, None, OUT, ("for another amount than is", "Compare both", "that was paid")),
    ("posting", _P, None, OUT, ("has not credited it", "to credit it", "right not to pay")),
    ("settlement", _W, None, IN, ("has settled money that came in", "is proof", _TWICE)),
    ("settlement", _W, None, OUT, ("has settled money that went out", "is proof", _TWICE)),
    (
        "settlement",
        _W,
        _FAILED,
        IN,
        ("had reported here that it failed", "which of the two", _TWICE),
    ),
    ("settlement", _G, None, IN, ("booked here as paid out", "took place", "gives it back")),
    ("settlement", _G, None, OUT, ("booked here as received", "took place", "takes it back")),
    ("settlement", _A, None, IN, ("settled another amount", "file says what", "was settled")),
    ("settlement", _A, None, OUT, ("settled another amount", "file says what", "was settled")),
    ("bet", _B, None, IN, ("no outcome here yet", "keeps asking", "whatever is adjusted")),
    ("bet", _B, None, OUT, ("no outcome here yet", "keeps asking", "whatever is adjusted")),
    ("bet", _B, _SETTLED, IN, ("bet is over here", "asks no more", "Nothing more is booked")),
    ("bet", _B, _SETTLED, OUT, ("bet is over here", "asks no more", "Nothing more is booked")),
    ("bet", _B, _RULED, OUT, ("was ruled on here", "asks no more", "what the ruling rests on")),
    ("bet", _P, _SETTLED, IN, ("settled without any", "asks no more", "Nothing more is booked")),
    ("bet", _P, _SETTLED, OUT, ("and none at the game", "asks no more", "right not to pay")),
    ("bet", _P, _RULED, IN, ("ruled to have none", "asks no more", "what the ruling rests on")),
    ("bet", _P, _RULED, OUT, ("here by a ruling", "asks no more", "what the ruling rests on")),
    ("bet", _A, _SETTLED, IN, ("more at the game than here", "asks no more", "Nothing more")),
    ("bet", _A, _SETTLED, OUT, ("less at the game than here", "asks no more", "Nothing more")),
    ("bet", _A, _RULED, IN, ("more at the game than was ruled", "asks no more", "rests on")),
    ("bet", _A, _RULED, OUT, ("less at the game than was ruled", "asks no more", "rests on")),
    ("payout", _P, None, IN, ("payout of a bet that is not booked", "keeps asking", "twice")),
    # What no code of ours finds today, and an older row may hold.
    ("payout", _W, None, IN, ("has money that the PSP never reported", "send the event", _TWICE)),
    ("payout", _W, None, OUT, ("that it went out", "send the event", _TWICE)),
    ("payout", _A, None, IN, ("has two amounts", "Compare both", "that was paid")),
]
HELD: Final = [
    (None, IN, ("game holds a stake that the ledger does not", "keeps asking", "")),
    (None, OUT, ("ledger holds a stake that the game does not", "keeps asking", "")),
    (_SETTLED, IN, ("game holds a stake that the ledger does not", "asks no more", "")),
    (_RULED, OUT, ("ledger holds a stake that the game does not", "asks no more", "")),
]

# Words that say which way the game is apart, and belong to none of the other way.
_MORE: Final = ("more at the game", "still shows", "has a deposit", "take it off", "shows it still")
_LESS: Final = (
    "less at the game",
    "never reached",
    "does not show",
    "to credit it",
    "let a withdra",
)


async def shown(
    site: Site, owner: Pool, *facts: tuple[str, Cause, Finding | None], amount: str, held: bool
) -> tuple[str, str]:
    """The only discrepancy's page, with that for evidence: its top, and all of it."""
    minor = Decimal(amount).scaleb(2) // len(facts)
    evidence = [
        {
            "kind": kind, "id": f"fact-{place}", "amount": str(minor), "at": "2026-01-01T09:00:00Z",
            "summary": "as it was told", "cause": cause, "root": None, "finding": finding,
        }
        for place, (kind, cause, finding) in enumerate(facts)
    ]  # fmt: skip
    whole = minor * len(facts)
    case = await owner.fetchval(
        "UPDATE discrepancies SET evidence = $1, cause = $2, difference = $3, explained = $3,"
        " unexplained = 0, available_difference = $4, held_difference = $5, game_available = $6,"
        " game_held = $7 RETURNING discrepancy_id",
        *(
            evidence,
            facts[0][1],
            whole,
            Decimal(0) if held else whole,
            whole if held else Decimal(0),
        ),
        *(
            Decimal(10_000) if held else 10_000 + whole,
            Decimal(2000) + whole if held else Decimal(0),
        ),
    )
    return await said_of(site, case)


async def test_each_case_is_said_as_it_is_whichever_way_the_money_went(
    site: Site, pool: Pool, owner: Pool
) -> None:
    await Cases(pool).deposit("u_1", "100.00")
    await Cases(pool).seen("u_1", "120.00")
    await site.sign_in("maker")

    for held, cases in ((False, CASES), (True, [("bet", _B, *one) for one in HELD])):
        for kind, cause, finding, amount, (said, next_, caution) in cases:
            top, page = await shown(site, owner, (kind, cause, finding), amount=amount, held=held)
            about = f"{kind} {cause} {finding} {amount}: {top}"
            wrong = _LESS if amount == IN else _MORE
            apart = "more" if amount == IN else "less"
            assert f"20.00 GBP {apart}{' held for bets' if held else ''} than the ledger" in top, (
                about
            )
            assert (said in top, next_ in top, caution in page) == (True, True, True), about
            assert [words for words in wrong if words in top] == [], about


def test_no_advice_is_left_that_no_case_above_leads_to() -> None:
    seen = {(kind, cause, finding, amount) for kind, cause, finding, amount, _ in CASES}
    left = []
    for key, advice in (OF_PAYMENTS | OF_BETS).items():
        # One for both ways, or one for each.
        ways = [{IN, OUT}] if len(advice) == 1 else [{IN}, {OUT}]
        left += [(key, way) for way in ways if not any((*key, amount) in seen for amount in way)]

    assert left == []


async def test_two_facts_of_one_kind_are_said_once_and_of_two_kinds_each(
    site: Site, pool: Pool, owner: Pool
) -> None:
    await Cases(pool).deposit("u_1", "100.00")
    await Cases(pool).seen("u_1", "120.00")
    await site.sign_in("maker")
    came = ("delivery", _W, None)

    once, _ = await shown(site, owner, came, came, amount=IN, held=False)
    each, _ = await shown(site, owner, came, ("payment", _W, None), amount=IN, held=False)

    assert once.count("its report could not be booked") == 1
    assert "Missing webhook: Open the delivery" in each
    assert "Missing webhook: Ask the PSP to send the event again." in each
    assert each.count("Missing webhook: ") == 2
