"""What the intake refuses."""

from __future__ import annotations

from recon.errors import (
    Conflict,
    Invalid,
    NotFound,
    Unauthentic,
    Unavailable,
    Unprocessable,
    UnsupportedContent,
)

__all__ = [
    "BodyIncompleteError",
    "CaseClosedError",
    "CaseNotFoundError",
    "DeliveryNotFoundError",
    "EndpointNotFoundError",
    "IntakeUnavailableError",
    "MisconfiguredError",
    "NotJsonError",
    "PayloadRedactedError",
    "ReferenceAmbiguousError",
    "RegistrationUnavailableError",
    "ReplayRefusedError",
    "SignatureMalformedError",
    "SignatureStaleError",
    "SignatureWrongError",
]


class SignatureMalformedError(Invalid):
    """There is no signature, or none that could be one."""

    code = "signature_malformed"


class SignatureWrongError(Unauthentic):
    """None of the configured secrets made this signature."""

    code = "signature_wrong"


class SignatureStaleError(Unauthentic):
    """Authentic, and the signed time is too far from ours.

    Args:
        message: which way and how far.
        skew_s: our clock minus the signed time.
    """

    code = "signature_stale"

    def __init__(self, message: str, *, skew_s: float) -> None:
        super().__init__(message)
        self.skew_s = skew_s


class BodyIncompleteError(Invalid):
    """The body did not arrive whole, or not in time."""

    code = "body_incomplete"


class NotJsonError(UnsupportedContent):
    """Compressed, or no JSON."""

    code = "not_json"


class MisconfiguredError(Invalid):
    """The settings have secrets that their provider could not have issued; names all of them."""

    code = "invalid_configuration"


class EndpointNotFoundError(NotFound):
    """No PSP account is configured under this name."""

    code = "unknown_endpoint"


class DeliveryNotFoundError(NotFound):
    """The inbox has no such delivery."""

    code = "delivery_not_found"


class CaseNotFoundError(NotFound):
    """There is no such case."""

    code = "case_not_found"


class CaseClosedError(Conflict):
    """The case is closed already."""

    code = "case_closed"


class ReplayRefusedError(Conflict):
    """The books refuse what the rules would book, or nothing says how it is to be read."""

    code = "replay_refused"


class PayloadRedactedError(Conflict):
    """The bytes of a delivery are gone by the retention time, so it cannot be decided again."""

    code = "payload_redacted"


class RegistrationUnavailableError(Unavailable):
    """The books refuse what the rules would book for a payment that is being registered.

    Another event of the payment was booked meanwhile, which the next attempt will see: it passes,
    so it is no `Conflict`, which would be kept as the answer.
    """

    code = "registration_unavailable"


class ReferenceAmbiguousError(Unprocessable):
    """The PSP has used the reference for so much that it stands for no one payment."""

    code = "reference_ambiguous"


class IntakeUnavailableError(Unavailable):
    """The database cannot take deliveries now; the PSP sends them again."""

    code = "database_unavailable"
