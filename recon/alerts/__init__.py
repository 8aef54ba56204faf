"""Alerts: people are told of what needs them, once each, and of nothing when there is nothing.

`find_alerts` looks for what is to be told (differences that stand unexplained, runs that failed,
did not reach every wallet or never started, a chain of seals that is broken, and now and then a
digest) and writes it down with a delivery for each channel, in one commit. `send_due` takes what is
due through its channel: webhooks signed by Standard Webhooks, and e-mail. A delivery is made at
least once and carries the same id each time; one process at a time sends through a channel.

What is found together is one message, with sums and the largest of it, and what is found soon after
waits and comes together: ten thousand differences are one message.
"""

from recon.alerts.channels import (
    ALERT_NUMBERS,
    enable_channel,
    read_channels,
    refresh_alert_gauges,
)
from recon.alerts.errors import ChannelNotFoundError
from recon.alerts.find import find_alerts
from recon.alerts.forget import forget_alerts
from recon.alerts.listing import DeliveryView, SentAlert, list_alerts
from recon.alerts.mail import Mailbox
from recon.alerts.model import (
    Alerting,
    AlertType,
    Channel,
    ChannelState,
    Outcome,
    Policy,
)
from recon.alerts.post import Receiver
from recon.alerts.seals import SealWatch, tell_broken_chain
from recon.alerts.send import send_due
from recon.alerts.sparing import Sparing
from recon.alerts.trial import send_trial

__all__ = [
    "ALERT_NUMBERS",
    "AlertType",
    "Alerting",
    "Channel",
    "ChannelNotFoundError",
    "ChannelState",
    "DeliveryView",
    "Mailbox",
    "Outcome",
    "Policy",
    "Receiver",
    "SealWatch",
    "SentAlert",
    "Sparing",
    "enable_channel",
    "find_alerts",
    "forget_alerts",
    "list_alerts",
    "read_channels",
    "refresh_alert_gauges",
    "send_due",
    "send_trial",
    "tell_broken_chain",
]
