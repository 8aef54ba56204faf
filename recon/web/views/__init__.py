"""What answers each address: read, call one verb, render."""

from recon.web.views import (
    approvals,
    audit,
    bets,
    bulk,
    cases,
    discrepancies,
    docs,
    oidc,
    overview,
    review,
    runs,
    settings,
    settings_exports,
    settlements,
    sightings,
    sign_in,
    wallets,
    webhooks,
)

__all__ = ["all_routes"]

all_routes = [
    sign_in.routes,
    oidc.routes,
    overview.routes,
    discrepancies.routes,
    bulk.routes,
    review.routes,
    approvals.routes,
    runs.routes,
    wallets.routes,
    sightings.routes,
    webhooks.routes,
    cases.routes,
    bets.routes,
    settlements.routes,
    audit.routes,
    settings.routes,
    settings_exports.routes,
    docs.routes,
]
