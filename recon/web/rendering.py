"""Pages from templates: autoescaped, strict about names; their content policy is `recon.http`'s."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from functools import cache
from typing import TYPE_CHECKING, Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined

from recon.clock import format_time, now
from recon.game.handlers import GAME_WATCH
from recon.http.reading import as_of
from recon.http.request_ids import request_id_of
from recon.web import formatting
from recon.web.auth.guard import session_or_none, shell_or_none
from recon.web.forms import LONGEST

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from recon.web.assets import Assets

__all__ = ["PAGES", "Pages", "render"]


@cache
def _templates(assets: Assets) -> Environment:
    """The templates of this package; each is compiled once in a process."""
    templates = Environment(
        loader=PackageLoader("recon.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.globals["static"] = assets.url
    templates.globals["longest"] = LONGEST
    templates.filters |= {
        "amount": formatting.amount,
        "signed": formatting.signed,
        "sign_class": formatting.sign_class,
        "count": formatting.count,
        "day": formatting.day,
        "instant": formatting.instant,
        "iso": _iso,
        "span": formatting.span,
        "lag": formatting.lag,
        "exponent": formatting.decimal_places,
        "words": formatting.plain_words,
        "person": formatting.person,
        "told": formatting.told,
    }
    return templates


@dataclass(frozen=True, slots=True)
class Pages:
    """What every page needs to know of the service.

    Args:
        templates: how pages look.
        environment: ``sandbox`` or ``live``, shown on every page.
        reconcile_every: the schedule; ``None`` when runs start on demand only.
        grace: how long a difference must stand before it is a discrepancy.
    """

    templates: Environment
    environment: str
    reconcile_every: timedelta | None
    grace: timedelta

    @classmethod
    def build(
        cls,
        assets: Assets,
        *,
        environment: str,
        reconcile_every: timedelta | None,
        grace: timedelta,
    ) -> Pages:
        """Read the templates of this package."""
        return cls(_templates(assets), environment, reconcile_every, grace)


PAGES: web.AppKey[Pages] = web.AppKey("pages", Pages)


def render(
    request: web.Request,
    template: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    **shown: Any,  # noqa: ANN401 - each template has names of its own
) -> web.Response:
    """A page.

    Args:
        request: what it answers.
        template: a file under ``recon/web/templates``.
        status: of the answer.
        headers: besides those that every page carries.
        shown: what the template names; a name it is not given is an error, not a gap.
    """
    pages, watch = request.config_dict[PAGES], request.config_dict.get(GAME_WATCH)
    body = pages.templates.get_template(template).render(
        path=request.path,
        session=session_or_none(request),
        shell=shell_or_none(request),
        environment=pages.environment,
        grace=pages.grace,
        request_id=request_id_of(request),
        game_down_since=None if watch is None else watch.down_since,
        read_as_of=as_of(request),
        now=now(),
        clock=formatting.clock,
        age=formatting.age,
        **shown,
    )
    return web.Response(text=body, status=status, content_type="text/html", headers=headers)


def _iso(at: datetime) -> str:
    return format_time(at.astimezone(UTC))
