"""Which processes of this machine have a record open: where it cannot be read, its lease says nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from penstock.errors import Held
from penstock.ledger import FILE, FOLDER


def refuse_users(root: Path) -> None:
    """Raise Held if another process has the record open, also under a name that was removed."""
    others = [pid for pid in users_of(root / FOLDER / FILE) if pid != os.getpid()]
    if others:
        raise Held(f"{root} is used by process {others[0]}: wait for it, or stop it with `penstock down`")


def users_of(path: Path) -> Iterator[int]:
    """Yield the processes that have a file open, as far as we may see them."""
    name = os.path.realpath(path)
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):
            links = (os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd"))
            if any(link.removesuffix(" (deleted)") == name for link in links):
                yield int(pid)
