"""Events that a PSP has made and no webhook has brought: listed by its API and booked here.

Only Stripe has such a list (``GET /v1/events``). `backfill` compares what it lists with the inbox,
from a little before the last listing's end up to a few minutes ago, so that an event which is on
its way is left to its webhook. What is missing goes through `recon.webhooks.receive` like any
delivery, under the same rules, and is marked: ``verified_by`` is ``api:<8 hex of the key's hash>``.
The webhook may still come; Stripe writes the event's bytes anew for each (`recon.webhooks.retold`),
so it is a repeat when it says the same.

`missed_events` only looks: what is listed between two instants and is not in the inbox.
"""

from recon.webhooks.backfill.accounts import ApiAccount, build_api_accounts
from recon.webhooks.backfill.errors import (
    BackfillBusyError,
    ListingFaultyError,
    ListingRefusedError,
    ListingUnavailableError,
)
from recon.webhooks.backfill.listing import EventList, ListedEvent, open_event_list
from recon.webhooks.backfill.missed import missed_events
from recon.webhooks.backfill.progress import BackfillProgress, read_progress
from recon.webhooks.backfill.run import Backfilled, backfill, backfill_due

__all__ = [
    "ApiAccount",
    "BackfillBusyError",
    "BackfillProgress",
    "Backfilled",
    "EventList",
    "ListedEvent",
    "ListingFaultyError",
    "ListingRefusedError",
    "ListingUnavailableError",
    "backfill",
    "backfill_due",
    "build_api_accounts",
    "missed_events",
    "open_event_list",
    "read_progress",
]
