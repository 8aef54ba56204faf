"""What we expect a PSP to report: payments registered before they happen.

A registered deposit names the player to whom an anonymous report belongs; a registered withdrawal
reserves its money. ``webhooks`` asks for payments by reference or by the PSP's id, and says what
was reported; ``reconciliation`` asks which are still unreported.
"""

from recon.payments.model import Direction, ExpectedPayment, Payment, PaymentState
from recon.payments.read import open_payments_of, payments_of, read_payment
from recon.payments.register import register_payment
from recon.payments.report import Report, find_payments, record_reports

__all__ = [
    "Direction",
    "ExpectedPayment",
    "Payment",
    "PaymentState",
    "Report",
    "find_payments",
    "open_payments_of",
    "payments_of",
    "read_payment",
    "record_reports",
    "register_payment",
]
