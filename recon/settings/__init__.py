"""Settings: read once, frozen, every fault reported at once.

Flag, then environment, then ``recon.toml`` (``RECON_CONFIG`` names another file), then default. Any
setting can come from a file that ``RECON_<NAME>_FILE`` names, which is meant for secrets.
"""

from __future__ import annotations

from recon.settings.errors import ConfigurationError
from recon.settings.explaining import Explained, explain
from recon.settings.loading import load_settings
from recon.settings.model import Psp, Settings
from recon.settings.sources import ignored_variables

__all__ = [
    "ConfigurationError",
    "Explained",
    "Psp",
    "Settings",
    "explain",
    "ignored_variables",
    "load_settings",
]
