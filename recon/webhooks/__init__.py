"""PSP deliveries: verify, read, and keep and book them in one commit.

``POST /webhooks/<endpoint>`` proves the raw bytes (``psp/``, one file per provider), makes our
`Event` of them, and a `Drain` commits together what arrives together. `receive` keeps each delivery
and books what it says: once for ever by (endpoint, object, effect), to the registered player or to
suspense with a case. ``rules`` decides and is pure; ``book`` carries out any number of decisions in
a constant number of statements. The inbox keeps every authentic delivery; `replay_delivery` decides
again, and `register_payment` does so for what was said before a payment was registered.
`unbooked_deliveries_of` is what ``reconciliation`` reads as evidence.
"""

from recon.webhooks.browse import (
    UNSETTLED,
    InboxPage,
    InboxQuery,
    browse_inbox,
    count_states,
    list_deliveries,
)
from recon.webhooks.drain import DRAIN, Drain
from recon.webhooks.inbox import UnbookedDelivery, unbooked_deliveries_of
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
from recon.webhooks.proofs import EndpointProofs, read_proofs
from recon.webhooks.receive import receive, verify_call
from recon.webhooks.register import register_payment
from recon.webhooks.replay import Preview, preview_replay, read_delivery, replay_delivery
from recon.webhooks.story import Story, read_story
from recon.webhooks.telling import is_old_key, told

__all__ = [
    "DRAIN",
    "INTAKE",
    "UNSETTLED",
    "Delivery",
    "Drain",
    "Endpoint",
    "EndpointProofs",
    "Event",
    "InboxPage",
    "InboxQuery",
    "Intake",
    "Kind",
    "Outcome",
    "Preview",
    "State",
    "StoredDelivery",
    "Story",
    "UnbookedDelivery",
    "Unusable",
    "browse_inbox",
    "build_endpoints",
    "build_intake",
    "count_states",
    "is_old_key",
    "list_deliveries",
    "preview_replay",
    "read_delivery",
    "read_proofs",
    "read_story",
    "receive",
    "register_payment",
    "replay_delivery",
    "told",
    "unbooked_deliveries_of",
    "verify_call",
]
