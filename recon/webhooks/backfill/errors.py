"""Why a listing does not help; none of them shows a key."""

from __future__ import annotations

from recon.errors import Conflict, Unavailable, Unprocessable

__all__ = [
    "BackfillBusyError",
    "ListingFaultyError",
    "ListingRefusedError",
    "ListingUnavailableError",
]


class ListingUnavailableError(Unavailable):
    """The PSP's API does not answer, or asks for patience; it passes by itself."""

    code = "psp_api_unavailable"


class ListingRefusedError(Unprocessable):
    """The PSP's API refuses the call: its key, or what it asks for; somebody must see to it."""

    code = "psp_api_refused"


class ListingFaultyError(Unprocessable):
    """The answer is not what the PSP's documentation says; nothing of that page is booked."""

    code = "psp_api_faulty"


class BackfillBusyError(Conflict):
    """Another process lists this endpoint's events now."""

    code = "backfill_under_way"
