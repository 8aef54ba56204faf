"""PSP deliveries: verify, read, and keep and book them in one commit.

``POST /webhooks/<endpoint>`` proves the raw bytes (``psp/``, one file per provider), makes our
`Event` of them, and a `Drain` commits together what arrives together. `receive` keeps each delivery
and books what it says: once for ever by (endpoint, object, effect), to the registered player or to
suspense with a case. ``rules`` decides and is pure; ``book`` carries out any number of decisions in
a constant number of statements. The inbox keeps every authentic delivery; `replay_delivery` decides
again, and `register_payment` does so for what was said before a payment was registered.
`unbooked_deliveries_of` is what ``reconciliation`` reads as evidence.
"""

from recon.webhooks.drain import DRAIN, Drain
from recon.webhooks.inbox import UnbookedDelivery, list_deliveries, unbooked_deliveries_of
from recon.webhooks.intake import INTAKE, Intake, build_endpoints, build_intake
from recon.webhooks.model import (
    Delivery,
    Endpoint,
    Event,
    Kind,
    Outcome,
    State,
    StoredDelivery,
    Unusable,
)
from recon.webhooks.receive import receive, verify_call
from recon.webhooks.register import register_payment
from recon.webhooks.replay import read_delivery, replay_delivery

__all__ = [
    "DRAIN",
    "INTAKE",
    "Delivery",
    "Drain",
    "Endpoint",
    "Event",
    "Intake",
    "Kind",
    "Outcome",
    "State",
    "StoredDelivery",
    "UnbookedDelivery",
    "Unusable",
    "build_endpoints",
    "build_intake",
    "list_deliveries",
    "read_delivery",
    "receive",
    "register_payment",
    "replay_delivery",
    "unbooked_deliveries_of",
    "verify_call",
]
