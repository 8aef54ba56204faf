"""What we expect a PSP to report: payments registered before they happen.

A registered deposit names the player to whom an anonymous report belongs; a registered withdrawal
reserves its money. ``webhooks`` asks for payments by reference or by the PSP's id, and says what
was reported; ``reconciliation`` asks which are still unreported. `find_overdue` opens a case for
each of which nobody was heard in time.

A PSP may speak of a payment before it is registered, and this room cannot know: the verb that
registers is ``webhooks.register_payment``, which the application puts under `REGISTER`.
"""

from recon.payments.model import Direction, ExpectedPayment, Payment, PaymentState, Told
from recon.payments.overdue import Overdue, find_overdue, open_overdue_case
from recon.payments.read import open_payments_of, payments_of, read_payment
from recon.payments.register import REGISTER, Register, insert_payment
from recon.payments.report import Report, find_payments, report_columns

__all__ = [
    "REGISTER",
    "Direction",
    "ExpectedPayment",
    "Overdue",
    "Payment",
    "PaymentState",
    "Register",
    "Report",
    "Told",
    "find_overdue",
    "find_payments",
    "insert_payment",
    "open_overdue_case",
    "open_payments_of",
    "payments_of",
    "read_payment",
    "report_columns",
]
