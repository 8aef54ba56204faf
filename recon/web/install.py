"""Add the pages to an application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.web import views
from recon.web.assets import ASSETS, packaged_assets, serve_asset
from recon.web.auth.doors import DOORS, Doors
from recon.web.auth.refusals import REFUSALS, Refusals
from recon.web.rendering import PAGES, Pages

if TYPE_CHECKING:
    from datetime import timedelta

    from aiohttp import web

__all__ = ["install"]


def install(
    app: web.Application,
    *,
    reconcile_every: timedelta | None,
    environment: str,
    grace: timedelta,
    doors: Doors | None = None,
) -> None:
    """Add routes, templates and static files; the pool is asked for at ``recon.db.POOL``.

    Args:
        app: built with `page_middlewares` inside its request ids and JSON problems.
        reconcile_every: the schedule, by which the overview tells what is too old; ``None``: off.
        environment: ``sandbox`` or ``live``, shown on every page.
        grace: how long a difference must stand before it is a discrepancy.
        doors: by which ways staff come in; ``None``: by password and link.
    """
    assets = packaged_assets()
    app[ASSETS] = assets
    app[DOORS] = Doors() if doors is None else doors
    app[REFUSALS] = Refusals()
    app[PAGES] = Pages.build(
        assets, environment=environment, reconcile_every=reconcile_every, grace=grace
    )
    app.router.add_get("/static/{digest}/{name:.+}", serve_asset)
    for routes in views.all_routes:
        app.router.add_routes(routes)
