"""``recon bets``: bets that no answer of the game settles, and what people rule of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from recon.bets import read_bet
from recon.bets.by_hand import (
    RulingOutcome,
    RulingWish,
    approve_ruling,
    list_rulings,
    list_waiting,
    propose_ruling,
    reject_ruling,
)
from recon.bets.by_hand.views import RulingView, WaitingBetView, ruling_view, waiting_view
from recon.bets.handlers import BetView, bet_view
from recon.cli.context import console, open_database, print_json, run_async, settings_of
from recon.cli.tables import print_table
from recon.cli.verbs import Verbs
from recon.clock import format_time, new_id
from recon.errors import Invalid
from recon.four_eyes import Step

if TYPE_CHECKING:
    from uuid import UUID

    from recon.settings import Settings

__all__ = ["bets"]

# To the two-people rule whoever sits at the command line is one person.
_ACTOR = "cli"
_MOST = 100


@click.group(cls=Verbs)
def bets() -> None:
    """Bets that no answer of the game settles, and what people rule of them.

    What is proposed here is approved by API or on the pages, and the other way round: the command
    line is one person.
    """


@bets.command("list")
@click.option("--limit", type=click.IntRange(1, 500), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def list_command(ctx: click.Context, limit: int, *, as_json: bool) -> None:
    """Bets that wait for people, oldest first."""
    views = run_async(_list(settings_of(ctx), limit))
    if as_json:
        print_json(views)
        return
    print_table(
        ("bet", "made", "player", "stake", "state", "rests", "why", "ruling"),
        [
            (
                str(view.bet_id),
                format_time(view.created_at),
                view.user_id,
                f"{view.amount} {view.currency}",
                view.state,
                "yes" if view.rests else "",
                view.case_reason or "",
                "proposed" if view.ruling_id else "",
            )
            for view in views
        ],
        amounts=("stake",),
        nothing="No bet waits for people.",
    )


@bets.command()
@click.argument("bet_id", metavar="BET", type=click.UUID)
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def show(ctx: click.Context, bet_id: UUID, *, as_json: bool) -> None:
    """One bet, and what was proposed and decided of it."""
    bet, rulings = run_async(_show(settings_of(ctx), bet_id))
    if as_json:
        print_json({**msgspec.structs.asdict(bet), "rulings": rulings})
        return
    console.print(
        f"bet {bet.bet_id} of {bet.user_id} over {bet.amount} {bet.currency} on {bet.round_id}: "
        f"{bet.state}{f', {bet.reason}' if bet.reason else ''}",
        markup=False,
    )
    for ruling in rulings:
        _say(ruling)


@bets.command()
@click.argument("bet_id", metavar="BET", type=click.UUID)
@click.argument("outcome", type=click.Choice([str(outcome) for outcome in RulingOutcome]))
@click.option("--reason", required=True, help="Why it is so.")
@click.option("--evidence", required=True, help="What the operator's answer is found by.")
@click.option("--payout", help="What it paid, such as 25.00; with cashed_out.")
@click.option("--currency", help="The payout's, such as GBP.")
@click.option("--payout-transaction", help="The game's, where the bet knows none.")
@click.option("--ticket", help="The game's, where it took a bet that has none here.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def propose(  # noqa: PLR0913 - each is an option of the command
    ctx: click.Context,
    /,
    *,
    bet_id: UUID,
    outcome: str,
    reason: str,
    evidence: str,
    payout: str | None,
    currency: str | None,
    payout_transaction: str | None,
    ticket: str | None,
    as_json: bool,
) -> None:
    """Propose what BET came to; nothing is booked until another approves."""
    said = {
        "outcome": outcome,
        "reason": reason,
        "evidence": evidence,
        "payout": payout,
        "currency": currency,
        "payout_transaction_id": payout_transaction,
        "ticket_id": ticket,
    }
    try:
        wish = msgspec.convert(said, RulingWish)
    except msgspec.ValidationError as error:
        raise Invalid(str(error), code="validation_failed") from None
    _answer(run_async(_propose(settings_of(ctx), bet_id, wish)), as_json=as_json)


@bets.command()
@click.argument("ruling_id", metavar="RULING", type=click.UUID)
@click.option("--reason", help="What you have to say.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def approve(ctx: click.Context, ruling_id: UUID, reason: str | None, *, as_json: bool) -> None:
    """Book what another proposed; the game is asked about the bet no more."""
    _answer(run_async(_approve(settings_of(ctx), ruling_id, reason)), as_json=as_json)


@bets.command()
@click.argument("ruling_id", metavar="RULING", type=click.UUID)
@click.option("--reason", required=True, help="Why not.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def reject(ctx: click.Context, ruling_id: UUID, reason: str, *, as_json: bool) -> None:
    """Turn a proposal down, or withdraw it."""
    if not reason.strip():
        raise click.BadParameter("is empty", ctx, param_hint="--reason")
    _answer(run_async(_reject(settings_of(ctx), ruling_id, reason)), as_json=as_json)


def _answer(ruling: RulingView, *, as_json: bool) -> None:
    if as_json:
        print_json(ruling)
    else:
        _say(ruling)


def _say(ruling: RulingView) -> None:
    paid = f" {ruling.payout} {ruling.currency}" if ruling.payout else ""
    decided = f", by {ruling.decided_by}" if ruling.decided_by else ""
    console.print(
        f"ruling {ruling.ruling_id}: {ruling.outcome}{paid}, proposed by {ruling.proposed_by} "
        f"({ruling.reason}; {ruling.evidence}): {ruling.state}{decided}",
        markup=False,
    )


def _step() -> Step:
    return Step(_ACTOR, new_id())


async def _list(settings: Settings, limit: int) -> list[WaitingBetView]:
    async with open_database(settings) as pool, pool.acquire() as connection:
        return [waiting_view(bet) for bet in await list_waiting(connection, limit=limit)]


async def _show(settings: Settings, bet_id: UUID) -> tuple[BetView, list[RulingView]]:
    async with open_database(settings) as pool, pool.acquire() as connection:
        bet = await read_bet(connection, bet_id)
        rulings = await list_rulings(connection, bet_id=bet_id, limit=_MOST)
    return bet_view(bet), [ruling_view(one) for one in rulings]


async def _propose(settings: Settings, bet_id: UUID, wish: RulingWish) -> RulingView:
    async with open_database(settings) as pool:
        return ruling_view(await propose_ruling(pool, bet_id, wish, step=_step()))


async def _approve(settings: Settings, ruling_id: UUID, reason: str | None) -> RulingView:
    async with open_database(settings) as pool:
        return ruling_view(await approve_ruling(pool, ruling_id, reason, step=_step()))


async def _reject(settings: Settings, ruling_id: UUID, reason: str) -> RulingView:
    async with open_database(settings) as pool:
        return ruling_view(await reject_ruling(pool, ruling_id, reason, step=_step()))
