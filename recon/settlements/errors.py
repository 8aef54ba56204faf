"""What an import refuses, each time the whole file: nothing of it is kept."""

from __future__ import annotations

from recon.errors import Invalid, NotFound, TooLarge

__all__ = [
    "FileNotFoundHereError",
    "FormatError",
    "MerchantAccountError",
    "NotReadableError",
    "TruncatedError",
    "UnpackedTooLargeError",
]


class NotReadableError(Invalid):
    """The file is no text in UTF-8, or most of its lines cannot be read."""

    code = "settlement_file_unreadable"


class UnpackedTooLargeError(TooLarge):
    """The file is larger than may be, once it is unpacked."""

    code = "settlement_file_too_large"


class FormatError(Invalid):
    """No header of a report that we know, or of another provider's."""

    code = "settlement_format_unknown"


class TruncatedError(Invalid):
    """The file ends in the middle."""

    code = "settlement_file_truncated"


class MerchantAccountError(Invalid):
    """The file speaks of another merchant account than the endpoint's."""

    code = "settlement_merchant_account"


class FileNotFoundHereError(NotFound):
    """No settlement file with this id was imported."""

    code = "settlement_file_not_found"
