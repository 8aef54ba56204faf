"""One step for many discrepancies: those that are selected, or all that match a filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl
from uuid import UUID

from aiohttp import web

from recon.clock import now
from recon.db import POOL
from recon.errors import Conflict, Invalid, NotFound
from recon.http.bodies import form_of
from recon.reconciliation.assign import assign
from recon.reconciliation.ignore import ignore
from recon.web.auth.guard import page
from recon.web.discrepancy_list import ADDED_UP, DiscrepancyQuery, list_page
from recon.web.forms import field, step_of, until_of, words
from recon.web.rendering import render
from recon.web.roles import Right
from recon.web.staff import require_staff

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.reconciliation import Discrepancy

    Take = Callable[[UUID], Awaitable[Discrepancy]]

__all__ = ["AT_ONCE", "routes"]

routes = web.RouteTableDef()

AT_ONCE: Final = 500
"""A person waits for it: each is a transaction of its own."""


class _Refused(NamedTuple):
    discrepancy_id: UUID
    why: str


@routes.post("/discrepancies/bulk")
@page(Right.WORK)
async def take_step(request: web.Request) -> web.Response:
    """Assign or ignore them one by one, and say what became of each."""
    query = (await field(request, "filter")).partition("?")[2]
    wanted = DiscrepancyQuery.parse(dict(parse_qsl(query)))
    take, said = await _step(request)
    chosen = await _chosen(request, wanted)
    done, refused = 0, []
    for discrepancy_id in chosen:
        try:
            await take(discrepancy_id)
        except (Conflict, NotFound) as error:
            refused.append(_Refused(discrepancy_id, error.message))
        else:
            done += 1
    return render(
        request,
        "bulk.html",
        done=done,
        said=said,
        refused=refused,
        back=wanted.with_changes(),
    )


async def _step(request: web.Request) -> tuple[Take, str]:
    """What to do with each, and how to say it."""
    pool = request.config_dict[POOL]
    action = await field(request, "action")
    if action == "assign":
        assignee = await field(request, "assignee") or None
        if assignee is not None:
            await require_staff(pool, assignee)

        async def give(one: UUID) -> Discrepancy:
            return await assign(pool, one, assignee, step=await step_of(request, one))

        return give, f"assigned to {assignee or 'nobody'}"
    if action == "ignore":
        reason = await words(request, "reason", "Say why they may be left alone")
        until = await until_of(request)

        async def leave(one: UUID) -> Discrepancy:
            return await ignore(pool, one, reason, until=until, step=await step_of(request, one))

        return leave, "ignored"
    raise Invalid("Choose what to do with them.", code="invalid_action")


async def _as_shown(request: web.Request, found: list[UUID]) -> list[UUID]:
    """Of those that match now, those that were there when the page was.

    What a run has opened since nobody has seen, and is left alone. Ids and the form's carry the
    time at which they were made.

    Raises:
        Invalid: ``invalid_form``.
        Conflict: ``list_changed``: others have come to match.
    """
    try:
        form, shown = UUID(await field(request, "form")), int(await field(request, "matching"))
    except ValueError:
        raise Invalid("Reload the page and try again.", code="invalid_form") from None
    seen = [one for one in found if one < form]
    if len(seen) > shown:
        raise Conflict(
            f"{len(seen):,} match by now, where {shown:,} did: look at the list again.",
            code="list_changed",
        )
    return seen


async def _chosen(request: web.Request, wanted: DiscrepancyQuery) -> list[UUID]:
    """Which, `AT_ONCE` at most.

    Raises:
        Invalid: ``nothing_selected``, ``invalid_form``, or ``too_many_selected``.
        Conflict: ``list_changed``.
    """
    if await field(request, "all"):
        async with request.config_dict[POOL].acquire() as connection:
            found = await list_page(connection, wanted, now=now(), limit=AT_ONCE)
        if found.after is not None:
            matching = (
                f"More than {ADDED_UP:,}" if found.matching is None else f"{found.matching:,}"
            )
            raise Invalid(
                f"{matching} match the filter, which is too many for one step: narrow it to at"
                f" most {AT_ONCE}.",
                code="too_many_selected",
            )
        return await _as_shown(request, [row.discrepancy_id for row in found.rows])
    said = (await form_of(request)).getall("id", [])
    try:
        chosen = list(dict.fromkeys(UUID(str(one)) for one in said))
    except ValueError:
        raise Invalid("Reload the page and try again.", code="invalid_form") from None
    if not chosen:
        raise Invalid("Select at least one discrepancy.", code="nothing_selected")
    if len(chosen) > AT_ONCE:
        raise Invalid(f"Select at most {AT_ONCE} at once.", code="too_many_selected")
    return chosen
