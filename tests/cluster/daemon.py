"""Daemons that outlive their starter: each is known by its pid file, so that any process can end it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from penstock.host import start_time

#: a job that is just being started may not be found for so long
QUIET_S = 0.5


class Broken(Exception):
    """A cluster did not do what it should."""


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30.0, every: float = 0.05) -> Any:
    """Ask until the answer is true, and return it; raises Broken when time is up."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        answer = condition()
        if answer:
            return answer
        time.sleep(every)
    raise Broken(f"{what}: not within {seconds:g} s")


def listens(port: int) -> bool:
    """Tell whether somebody answers at a port of this machine."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kill_all(find: Callable[[], Iterable[psutil.Process]], watcher: str) -> None:
    """Kill what is found until nothing is; the `watcher` first, for it would tell how its job ended."""
    quiet_since = time.monotonic()

    def quiet() -> bool:
        nonlocal quiet_since
        for process in sorted(find(), key=lambda process: not is_named(process, watcher)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            quiet_since = time.monotonic()
        return time.monotonic() - quiet_since > QUIET_S

    wait_for(quiet, "jobs cannot be killed")


def is_named(process: psutil.Process, name: str) -> bool:
    try:
        return process.name() == name
    except psutil.NoSuchProcess:
        return False


@dataclass(frozen=True, slots=True)
class Daemon:
    """One program that stays in the foreground, with its log and its pid file in `home`."""

    name: str
    home: Path
    argv: tuple[str, ...]
    env: Mapping[str, str]

    @property
    def log(self) -> Path:
        return self.home / "log" / f"{self.name}.out"

    @property
    def pid_file(self) -> Path:
        return self.home / "run" / f"{self.name}.process"

    @property
    def process(self) -> psutil.Process | None:
        """The living process, or None."""
        try:
            pid, started = self.pid_file.read_text().split()
            return psutil.Process(int(pid)) if start_time(int(pid)) == started else None
        except (OSError, psutil.NoSuchProcess):
            return None

    def start(self) -> None:
        """Start it, unless it lives; it may need a while until it answers."""
        if self.process:
            self.thaw()
            return
        program = shutil.which(self.argv[0], path=self.env["PATH"])
        if not program:
            raise Broken(f"{self.argv[0]} is not installed")
        for path in (self.log, self.pid_file):
            path.parent.mkdir(parents=True, exist_ok=True)
        appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        files = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(self.log), appending, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        pid = os.posix_spawn(program, self.argv, self.env, file_actions=files, setsid=True)
        self.pid_file.write_text(f"{pid} {start_time(pid)}\n")

    def wait_until(self, condition: Callable[[], Any], seconds: float = 30.0) -> None:
        """Wait until it answers; raises Broken at once when it died."""
        wait_for(lambda: not self.process or condition(), f"{self.name} does not answer", seconds)
        if not self.process:
            raise Broken(f"{self.name} died at its start")

    def stop(self, patience_s: float = 15.0) -> None:
        """End it as its administrator would, and by force when it takes too long."""
        self.end(signal.SIGTERM, patience_s)

    def kill(self) -> None:
        """End it with kill -9."""
        self.end(signal.SIGKILL, 5.0)

    def end(self, with_signal: signal.Signals, patience_s: float) -> None:
        process = self.process
        if not process:
            return
        try:
            process.send_signal(with_signal)
            process.wait(patience_s)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(5.0)
        except psutil.NoSuchProcess:
            return

    def freeze(self) -> None:
        """Stop it without ending it: to the others it looks like a cut cable."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.signal(signal.SIGCONT)

    def signal(self, which: signal.Signals) -> None:
        process = self.process
        if not process:
            raise Broken(f"{self.name} does not live")
        process.send_signal(which)
