"""What starts a conductor without a person: a unit of systemd's user manager, or a line in the user's crontab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.unattended.crontab import Crontab
from penstock.unattended.program import Program
from penstock.unattended.starter import Starter
from penstock.unattended.systemd import UserUnit

__all__ = ["STARTERS", "Program", "Starter", "choose", "installed"]

#: the first one that works here is taken
STARTERS: dict[str, type[Starter]] = {"systemd": UserUnit, "cron": Crontab}


def choose(name: str) -> type[Starter]:
    """Return a starter by its name, or for `auto` the first that works here."""
    if name != "auto":
        return STARTERS[name]
    for starter in STARTERS.values():
        if starter.works():
            return starter
    raise DefinitionError(
        "neither systemd for users nor crontab works here: start `penstock up` yourself after a reboot"
    )


def installed(root: Path) -> Iterator[Starter]:
    """Yield what starts a conductor of the campaign in `root` by itself."""
    program = Program(root)
    yield from (starter for kind in STARTERS.values() if (starter := kind(program)).is_installed())
