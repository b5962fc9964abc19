"""One line of the user's crontab, which does a turn every few minutes; all other lines stay as they are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from shlex import quote

from penstock.disk import make_private, write_file
from penstock.errors import LedgerError
from penstock.host import hostname
from penstock.ledger import FOLDER
from penstock.unattended.program import Program
from penstock.unattended.starter import call, words_of

EVERY = "*/5 * * * *"
SCRIPT = "tick.sh"
EMPTY = re.compile(rb"no f?crontab|No such file", re.IGNORECASE)  # how crontabs say that there is none yet
DAEMONS = frozenset({"cron", "crond", "fcron", "dcron", "bcron-sched", "systemd-cron"})
PROCESSES = Path("/proc")


class Crontab:
    """A line in the crontab of this user on this host."""

    def __init__(self, program: Program) -> None:
        self.program, self.script = program, program.root / FOLDER / SCRIPT

    @classmethod
    def works(cls) -> bool:
        """Whether this user may have a crontab."""
        try:
            read_crontab()
        except LedgerError:
            return False
        return True

    def is_installed(self) -> bool:
        """Whether the crontab has the line."""
        try:
            return any(is_ours(line, self.program.mark) for line in read_crontab().splitlines())
        except LedgerError:
            return False

    def draft(self) -> str:
        """Return the line, and what it runs."""
        return f"{self.line()}\n\n{self.script}:\n{script_text(self.program)}"

    def line(self) -> str:
        """Return the line; its mark finds it again."""
        return f"{EVERY} /bin/sh {word(str(self.script))} # penstock tick {self.program.mark}"

    def install(self) -> str:
        """Write what the line runs, then the line."""
        make_private(self.script.parent)
        write_file(self.script, script_text(self.program).encode())
        write_crontab(with_line(read_crontab(), self.program.mark, self.line()))
        return f"added to your crontab on {hostname()}: {self.line()}"

    def remove(self) -> str:
        """Remove the line and what it runs."""
        write_crontab(with_line(read_crontab(), self.program.mark, None))
        self.script.unlink(missing_ok=True)
        return f"removed from your crontab on {hostname()}: {self.line()}"

    def start(self) -> None:
        """Start nothing: each turn is another process."""

    def rest(self) -> str:
        """Say that it goes on."""
        return (
            f"cron on {hostname()} still does a turn every five minutes: `penstock up --uninstall` ends that"
        )

    def warnings(self) -> Iterator[str]:
        """Yield why it would not start."""
        if is_running(PROCESSES) is False:
            yield f"no cron daemon runs on {hostname()}, so nothing is started: have cron started, or use another host"


def script_text(program: Program) -> str:
    """Return what the line runs: a line of a crontab may be too short for a PATH."""
    return "\n".join(
        [
            "#!/bin/sh",
            "# Made by `penstock up --install cron`; `penstock up --uninstall` removes it.",
            *(f"export {name}={quote(value)}" for name, value in program.environment.items()),
            f"cd {quote(str(program.root))} && exec {' '.join(map(quote, program.words('tick')))}",
            "",
        ]
    )


def word(text: str) -> str:
    r"""Quote a word for the shell behind a crontab, where some crons end the command at a `%` without a backslash.

    Crons differ in what they make of `\%` and of two backslashes, so `%` is written where a shell takes either, and no
    backslash stands before another.

    >>> print(word("/50% a'b"))
    '/50'\%' a'"'"'b'
    """
    special = {"%": "\\%", "'": '"\'"', "\\": "'\\'"}
    pieces = re.split(r"([%'\\])", text)
    return "".join(special.get(piece) or f"'{piece}'" for piece in pieces if piece)


def is_ours(line: bytes, mark: str) -> bool:
    """Whether a line of a crontab is the one with this mark, and no comment."""
    return line.rstrip().endswith(f"# penstock tick {mark}".encode()) and not line.lstrip().startswith(b"#")


def with_line(crontab: bytes, mark: str, line: str | None) -> bytes:
    r"""Return a crontab with a line in place of the one with its mark, or at its end; None: without it.

    >>> with_line(b"MAILTO=me\n", "1a2b3c4d", "* * * * * true # penstock tick 1a2b3c4d")
    b'MAILTO=me\n* * * * * true # penstock tick 1a2b3c4d\n'
    """
    new = [line.encode() + b"\n"] if line else []
    lines = list[bytes]()
    for old in crontab.splitlines(keepends=True):
        if is_ours(old, mark):
            lines += new
            new = []
        else:
            lines.append(old)
    if new and lines and not lines[-1].endswith(b"\n"):
        lines.append(b"\n")
    return b"".join(lines + new)


def read_crontab() -> bytes:
    """Return the user's crontab; raises LedgerError when it cannot be read, which is not the same as an empty one."""
    code, text, error = call("crontab", "-l")
    if code and not EMPTY.search(error + text):
        raise LedgerError(
            f"`crontab -l` failed ({words_of(error)}): ask whether you may use cron here, or use another host"
        )
    return b"" if code else text


def write_crontab(text: bytes) -> None:
    """Replace the user's crontab; raises LedgerError when it was not taken."""
    code, _, error = call("crontab", "-", data=text)
    if code or read_crontab() != text:
        raise LedgerError(f"`crontab` did not take the new line ({words_of(error)}): see `crontab -l`")


def is_running(processes: Path) -> bool | None:
    """Whether a cron daemon runs here; None where other users' processes are hidden."""
    names = set[str]()
    for folder in processes.glob("[0-9]*"):
        try:
            names.add((folder / "comm").read_text(encoding="utf-8").strip())
        except OSError:  # it has ended
            continue
    if names & DAEMONS:
        return True
    return False if (processes / "1" / "comm").exists() else None
