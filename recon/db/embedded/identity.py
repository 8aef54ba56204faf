"""Who the server runs as.

PostgreSQL refuses to run as root. An ordinary user runs the server as itself. For root we make no
user and borrow an existing one that owns nothing (``nobody``), together with a group number that
nobody has: the server's directories lie behind a door (root:group, 0710) that only a process with
that group can pass. Another daemon that also runs as ``nobody`` can therefore neither read the
data, nor reach the socket, nor trace the server, although it has the same user id; and whoever
reaches the socket still needs the password.
"""

from __future__ import annotations

import grp
import os
import pwd
import secrets
from dataclasses import dataclass
from typing import TypedDict

from recon.db.embedded.errors import EmbeddedPostgresError

__all__ = ["MADE_UP_GROUPS", "Identity", "borrow_identity", "own_identity"]

_UNPRIVILEGED = ("nobody", "daemon", "bin")
# Below 65536, so that a container's usual range of ids has it; meant by systemd for ids that are
# made up on the spot, so that neither a person nor a package gets one.
# Source: systemd's UIDS-GIDS, "Dynamic service users".
MADE_UP_GROUPS = range(61184, 65520)


class _Credentials(TypedDict, total=False):
    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Identity:
    """A user and group of the server.

    Attributes:
        uid: the user id; it has an entry in the user database, which ``initdb`` insists on.
        gid: the group id.
        borrowed: True when we are root and put this on; False when it is our own.
    """

    uid: int
    gid: int
    borrowed: bool

    def credentials(self) -> _Credentials:
        """Give the arguments with which ``subprocess`` puts it on, dropping every other group."""
        if not self.borrowed:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def own_identity() -> Identity:
    """Run as whoever we are.

    Raises:
        EmbeddedPostgresError: our user id has no name, and ``initdb`` would refuse it.
    """
    uid = os.geteuid()
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedPostgresError(
            f"user id {uid} has no entry in the user database, which PostgreSQL's initdb needs; "
            "run as a named user or set RECON_DATABASE_URL",
            code="postgres_identity",
        ) from None
    return Identity(uid=uid, gid=os.getegid(), borrowed=False)


def borrow_identity(gid: int | None = None) -> Identity:
    """Choose, as root, whom to run as: an existing user without privileges, in a group of its own.

    Args:
        gid: the group that an earlier start chose.

    Raises:
        EmbeddedPostgresError: there is no such user.
    """
    for name in _UNPRIVILEGED:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        if user.pw_uid:
            return Identity(uid=user.pw_uid, gid=gid or _unused_group(), borrowed=True)
    raise EmbeddedPostgresError(
        "PostgreSQL does not run as root and there is no user 'nobody' to run it as; "
        "run as an ordinary user or set RECON_DATABASE_URL",
        code="postgres_identity",
    )


def _unused_group() -> int:
    taken = {group.gr_gid for group in grp.getgrall()} | {user.pw_gid for user in pwd.getpwall()}
    return secrets.choice([gid for gid in MADE_UP_GROUPS if gid not in taken])
