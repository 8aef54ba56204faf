"""What alerts refuse."""

from __future__ import annotations

from recon.errors import NotFound

__all__ = ["ChannelNotFoundError"]


class ChannelNotFoundError(NotFound):
    """No channel of this name is in the settings, or nothing has disabled it."""

    code = "channel_not_found"
