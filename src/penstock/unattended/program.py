"""The command that works on a campaign unattended, and the environment that it needs."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.site.cluster import PASSED

#: what programs are found by; a service manager gives little more than HOME and a short PATH
KEPT = (PASSED | {"LD_LIBRARY_PATH", "VIRTUAL_ENV", "CONDA_PREFIX"}) - {"HOME", "USER", "LOGNAME"}
CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def environment_of_now() -> dict[str, str]:
    """Return what the programs of this campaign are found by, as it is here and now."""
    return {name: os.environ[name] for name in sorted(KEPT) if name in os.environ}


@dataclass(frozen=True, slots=True)
class Program:
    """A conductor of the campaign in `root`, as something else than a person starts it."""

    root: Path
    options: Sequence[str] = ()
    python: str = sys.executable
    environment: Mapping[str, str] = field(default_factory=environment_of_now)

    @property
    def mark(self) -> str:
        """What no other campaign of this user has: eight digits of its folder."""
        return hashlib.sha256(os.fsencode(self.root)).hexdigest()[:8]

    @property
    def name(self) -> str:
        """A name for it that is safe everywhere."""
        return f"penstock-{re.sub('[^A-Za-z0-9_.-]+', '-', self.root.name)[:40]}-{self.mark}"

    def words(self, command: str) -> list[str]:
        """Return the words of a command; -P: no file of the campaign is taken for a module of Python's."""
        words = [self.python, "-P", "-m", "penstock", command, "--background", "-C", str(self.root)]
        return [*words, *self.options]

    def check(self) -> None:
        """Refuse what neither units nor crontabs can hold."""
        for text in (str(self.root), self.python, *self.options, *self.environment.values()):
            if CONTROL.search(text):
                raise DefinitionError(
                    f"{text!r} has a character that units and crontabs cannot hold: rename it, or start `penstock up` yourself"
                )
