"""A unit of systemd's user manager, which starts `watch` again when it fails, and at boot (systemd.service(5))."""

from __future__ import annotations

import os
from collections.abc import Iterator
from getpass import getuser
from pathlib import Path

from penstock.disk import write_file
from penstock.errors import LedgerError
from penstock.unattended.program import Program
from penstock.unattended.starter import call, words_of

LINGERING = Path(
    "/var/lib/systemd/linger"
)  # has a file for each user whose units start at boot (loginctl(1))


class UserUnit:
    """A service of the user."""

    def __init__(self, program: Program) -> None:
        self.program, self.unit = program, f"{program.name}.service"

    @classmethod
    def works(cls) -> bool:
        """Whether this user has a running manager."""
        return call("systemctl", "--user", "show-environment")[0] == 0

    @property
    def path(self) -> Path:
        """Where its text is."""
        home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
        return home / "systemd" / "user" / self.unit

    def is_installed(self) -> bool:
        """Whether there is such a unit."""
        return self.path.is_file()

    def draft(self) -> str:
        """Return the text of the unit."""
        return unit_text(self.program)

    def install(self) -> str:
        """Write the unit, enable it and start it."""
        if not self.works():
            self.manage("show-environment")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self.path, self.draft().encode())
        self.manage("daemon-reload")
        self.manage("enable", self.unit)
        self.manage("restart", self.unit)
        return f"installed and started {self.path}; `journalctl --user -u {self.unit}` shows its starts"

    def remove(self) -> str:
        """Stop the unit and remove it."""
        self.manage("disable", "--now", self.unit)
        self.path.unlink(missing_ok=True)
        self.manage("daemon-reload")
        return f"stopped and removed {self.path}"

    def start(self) -> str:
        """Start it again."""
        self.manage("restart", self.unit)
        return f"systemd starts it as {self.unit}"

    def rest(self) -> str:
        """Stop it, also where it waits to be started again."""
        self.manage("stop", self.unit)
        return f"{self.unit} starts it again at the next boot or login, or with `penstock up`"

    def manage(self, *words: str) -> None:
        """Ask the user's manager for something; raises LedgerError when it refuses."""
        code, _, error = call("systemctl", "--user", *words)
        if code:
            raise LedgerError(
                f"`systemctl --user {' '.join(words)}` failed ({words_of(error)}): log in on this host"
                " itself, or use `penstock up --install cron`"
            )

    def warnings(self) -> Iterator[str]:
        """Yield why it would end too early or not start at boot."""
        if not (LINGERING / getuser()).exists():
            yield (
                "it ends when you log out and starts when you log in, not at boot: `loginctl enable-linger` changes that"
            )


def unit_text(program: Program) -> str:
    """Return the text of a unit.

    A definition that is wrong stays wrong (code 2); all else is tried again each minute for ever. Only the conductor
    is stopped: its runners return by themselves what they have not started.
    """
    folder = str(program.root).replace("%", "%%")
    words = " ".join(argument(word) for word in program.words("watch"))
    return "\n".join(
        [
            "# Made by `penstock up --install systemd`; `penstock up --uninstall` in the campaign's folder removes it.",
            "[Unit]",
            f"Description=penstock in {folder}",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            f"WorkingDirectory={folder}/",  # the slash ends it: a blank or a backslash at the end would be lost
            *(f"Environment={quoted(f'{key}={value}')}" for key, value in program.environment.items()),
            f"ExecStart=/bin/sh -c 'exec \"$$@\"' sh {words}",  # as the first word, few characters would be allowed
            "Restart=on-failure",
            "RestartSec=60",
            "RestartPreventExitStatus=2",
            "KillMode=process",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        ]
    )


def quoted(text: str) -> str:
    r"""Quote one word of a unit: backslashes and quotes are escaped, and `%` is doubled.

    >>> print(quoted('50% "a\\b"'))
    "50%% \"a\\b\""
    """
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def argument(text: str) -> str:
    """Quote one word of a command, in which `$` begins a variable.

    >>> argument("$HOME")
    '"$$HOME"'
    """
    return quoted(text).replace("$", "$$")
