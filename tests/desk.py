"""A machine without a scheduler, as its adapter has it: this one, with a home of its own."""

from __future__ import annotations

import os
import secrets
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from penstock.campaign import Site
from penstock.schedulers import local
from penstock.schedulers.model import Known, Request, Sighting
from penstock.transports.commands import run_command
from penstock.transports.reply import Reply

SITE = Site("desk", "local", host="desk", transport="ssh")


class Desk:
    """The home, the jobs in it, and what runs of them. Jobs have names here, of which `token_of` makes unique tokens."""

    def __init__(self, home: Path) -> None:
        self.home, self.mark = home, secrets.token_hex(4)

    def token_of(self, name: str) -> str:
        return f"{name}-{self.mark}"

    @property
    def spool(self) -> Path:
        """The folder of what is known of jobs."""
        return self.home / ".local/state/penstock/spool-1" / os.uname().nodename

    def ask(self, argv: Sequence[str], **more: str) -> Reply:
        """Run a command of the adapter as at a login there."""
        environment = {"HOME": str(self.home), "PATH": os.environ["PATH"], **more}
        return run_command(
            [sys.executable, *argv[1:]], cwd=Path("/"), environment=environment, timeout_s=60.0
        )

    def script(self, name: str, text: str) -> Path:
        """Write the script of a job; its elements find their number in $PENSTOCK_ELEMENT, and are in the home."""
        path = self.home / "jobs" / self.token_of(name) / "script.sh"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"cd '{self.home}'\n{text}\n")
        return path

    def submit(self, name: str, text: str, *, site: Site = SITE, **about: Any) -> str:
        """Submit a job whose elements run some lines of shell."""
        request = Request(self.token_of(name), **{"elements": 1, **about})
        argv = local.submit(str(self.script(name, text)), request, site)
        return local.parse_submit(self.ask(argv, LAB="7"))

    def known(self, name: str, elements: int = 1) -> Known:
        """Return a job as it is asked about."""
        return Known(self.token_of(name), self.token_of(name), elements)

    def facts(self, name: str, kind: str = "log") -> Path:
        """Return the file where it is written down how the elements of a job stand."""
        return self.spool / f"{self.token_of(name)}.{kind}"

    def seen(self, name: str, elements: int = 1) -> list[Sighting]:
        """Return how the elements of a job stand."""
        jobs = [self.known(name, elements)]
        return local.parse_queue(self.ask(local.queue(jobs)), jobs)

    def words(self, name: str, elements: int = 1) -> list[str]:
        """Return how the elements of a job stand, in one word each."""
        return [one.word for one in self.seen(name, elements)]

    def said(self, name: str) -> list[str]:
        """Return the lines of a file that elements write in the home."""
        path = self.home / name
        return path.read_text().split() if path.exists() else []

    def supervisors(self) -> list[psutil.Process]:
        """Return the processes that start elements of this home."""
        return [p for p in psutil.process_iter() if is_supervisor(p, self.home)]

    def living(self) -> set[psutil.Process]:
        """Return what elements of this home started and still lives."""
        return {p for p in psutil.process_iter() if home_of(p) == str(self.home)}.difference(
            self.supervisors()
        )

    def end(self) -> None:
        """Kill all that was started under this home."""
        while found := [*self.supervisors(), *self.living()]:
            for process in found:
                with suppress(psutil.Error):
                    process.kill()
            time.sleep(0.02)


def is_supervisor(process: psutil.Process, home: Path) -> bool:
    with suppress(psutil.Error):
        words = process.cmdline()
        return home_of(process) == str(home) and len(words) == 5 and "/spool-" in words[3]
    return False


def home_of(process: psutil.Process) -> str | None:
    with suppress(psutil.Error):
        if process.status() != psutil.STATUS_ZOMBIE:
            return process.environ().get("HOME")
    return None
