"""Putting a file or folder where it goes, whole and verified; what it was made of stays until the record knows."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress

from penstock.errors import PenstockError
from penstock.runner.blocks import draft_of
from penstock.runner.digests import digest_at, sync_path, sync_tree
from penstock.runner.files import remove
from penstock.runner.kinds import Odd
from penstock.runner.trees import copy_tree

#: of `link`: another file system, or one that has no hard links, or not as many
NO_LINK = (errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def put(source: str, target: str, digest: str, *, replaced: str | None = None) -> None:
    """Let `target` be what `source` is: by links on one file system, else by a copy that has this digest.

    `replaced` is the digest of what is there and may go. Raises OSError, with nothing changed but a draft removed, and
    PenstockError for bytes that do not arrive as they were.
    """
    draft = draft_of(target, digest)
    remove(draft)
    try:
        duplicate(source, draft, digest)
        if os.path.isdir(draft):
            name_folder(draft, target, replaced)
        elif replaced:
            os.rename(draft, target)
        else:
            name_file(draft, target)
    except (OSError, Odd, PenstockError) as error:
        with suppress(OSError):
            remove(draft)
        if isinstance(error, OSError):
            error.filename = error.filename or target  # writing has none, as on a full disk
        raise


def duplicate(source: str, draft: str, digest: str) -> None:
    """Make links to a file, or to all files of a folder; where there can be none, copies that are on the disk and compared."""
    try:
        link_tree(source, draft)
        return
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
    remove(draft)
    copy_tree(source, draft)
    sync_tree(draft)
    if digest_at(draft)[1] != digest:
        raise PenstockError(f"the copy of {source} has other bytes: nothing of it was given its name, retry")


def link_tree(source: str, draft: str) -> None:
    """Make hard links to a file, or folders with hard links to all that is in a folder."""
    status = os.lstat(source)
    if not stat.S_ISDIR(status.st_mode):
        os.link(source, draft, follow_symlinks=False)
        return
    os.mkdir(draft)
    for name in os.listdir(source):
        link_tree(os.path.join(source, name), os.path.join(draft, name))
    os.chmod(draft, stat.S_IMODE(status.st_mode))
    os.utime(draft, ns=(status.st_atime_ns, status.st_mtime_ns))
    sync_path(draft)


def name_file(draft: str, target: str) -> None:
    """Give a file its name, unless there is something."""
    try:
        os.link(draft, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in NO_LINK:
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(draft, target)
        return
    os.unlink(draft)


def name_folder(draft: str, target: str, replaced: str | None) -> None:
    """Give a folder its name; an old one is put aside first, under the name of its draft, and removed then."""
    if replaced:
        aside = draft_of(target, replaced)
        remove(aside)
        os.rename(target, aside)
    os.rename(draft, target)
    if replaced:
        remove(draft_of(target, replaced))


def take_away(path: str, digest: str) -> None:
    """Remove a file or folder; the latter gets a name first that says what it is, so that what is left of it is known."""
    if not os.path.isdir(path):
        os.unlink(path)
        return
    aside = draft_of(path, digest)
    os.rename(path, aside)
    remove(aside)
