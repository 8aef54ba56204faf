"""Who of the staff may do what."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Right", "Role", "allows"]


class Role(StrEnum):
    """What a member of staff is."""

    VIEWER = "viewer"
    ANALYST = "analyst"
    APPROVER = "approver"
    ADMIN = "admin"


class Right(StrEnum):
    """What a page or an action asks of whoever wants it."""

    READ = "read"
    RECONCILE = "reconcile"
    REPLAY = "replay"
    CLOSE = "close"
    WORK = "work"
    PROPOSE = "propose"
    APPROVE = "approve"
    MANAGE = "manage"


_WORK = frozenset({Right.READ, Right.RECONCILE, Right.REPLAY, Right.CLOSE, Right.WORK})
_RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.ANALYST: _WORK | {Right.PROPOSE},
    Role.APPROVER: _WORK | {Right.PROPOSE, Right.APPROVE},
    # Who can make users could make a second pair of eyes: no say over what is booked.
    Role.ADMIN: _WORK | {Right.MANAGE},
}


def allows(role: Role, right: Right) -> bool:
    """Whether a role has a right."""
    return right in _RIGHTS[role]
