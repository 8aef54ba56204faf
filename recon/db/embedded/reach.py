"""What another user could reach, read from permissions that we leave as they are."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["readable_tree", "searchable", "trustworthy"]

_READ_ALL = stat.S_IRUSR | stat.S_IRGRP | stat.S_IROTH
_SEARCH_ALL = stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH
_WRITE_OTHERS = stat.S_IWGRP | stat.S_IWOTH


def searchable(folder: Path) -> bool:
    """Say whether everybody may pass through a directory and all above it.

    Args:
        folder: an absolute path; a symbolic link on it answers no.
    """
    for step in (folder, *folder.parents):
        mode = step.lstat().st_mode
        if not stat.S_ISDIR(mode) or not mode & stat.S_IXOTH:
            return False
    return True


def trustworthy(folder: Path) -> bool:
    """Say whether nobody but root could put another directory in a directory's place.

    Args:
        folder: an absolute path; it and all above it must be root's, and writable by root only or
            sticky.
    """
    for step in (folder, *folder.parents):
        found = step.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid:
            return False
        if found.st_mode & _WRITE_OTHERS and not found.st_mode & stat.S_ISVTX:
            return False
    return True


def readable_tree(folder: Path) -> bool:
    """Say whether everybody may read all of a directory's files, and run what its owner may."""
    if not searchable(folder):
        return False
    for parent, _, names in os.walk(folder):
        if not os.lstat(parent).st_mode & stat.S_IROTH:
            return False
        for name in names:
            mode = os.stat(os.path.join(parent, name)).st_mode  # noqa: PTH116, PTH118 - 2000 files
            if mode & _READ_ALL != _READ_ALL:
                return False
            if mode & stat.S_IXUSR and mode & _SEARCH_ALL != _SEARCH_ALL:
                return False
    return True
