"""What is wrong with the settings."""

from __future__ import annotations

from recon.errors import Invalid

__all__ = ["ConfigurationError"]


class ConfigurationError(Invalid):
    """The settings cannot be used; the message lists every fault."""

    code = "invalid_configuration"
