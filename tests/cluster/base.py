"""What all clusters have: a folder, an environment for their clients, and daemons."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.daemon import Broken, Daemon

#: who submits jobs when it is not root
USER = "penstock-test"
#: All clusters that may stand at once, each with the letter of its nodes; its place gives it its ports.
NODE_LETTERS = {
    "slurm": "p", "slurm_bare": "b", "slurm_gpus": "g", "gridengine": "e", "torque": "t",
    "up-slurm": "u", "up-gridengine": "x", "up-torque": "v", "bench": "z",
}  # fmt: skip
FIRST_PORT, PORTS_EACH = 27_000, 300
#: of the servers of `tests/sshd.py`, after those of all clusters
SSH_PORTS = range(
    FIRST_PORT + PORTS_EACH * len(NODE_LETTERS), FIRST_PORT + PORTS_EACH * (len(NODE_LETTERS) + 1)
)
ROOT = Path(tempfile.gettempdir()) / f"penstock-cluster-{os.geteuid()}"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Cluster(ABC):
    """One scheduler with its daemons; `home` has all its files."""

    home: Path

    @property
    def base_port(self) -> int:
        """The first of the ports that no other cluster has."""
        return FIRST_PORT + PORTS_EACH * [*NODE_LETTERS].index(self.home.name)

    @property
    @abstractmethod
    def env(self) -> dict[str, str]:
        """What a client must have in its environment besides the usual."""

    @property
    def work(self) -> Path:
        """A folder in which the user may write; it is on all nodes."""
        return self.home / "work"

    @abstractmethod
    def start(self) -> None:
        """Start its daemons."""

    @abstractmethod
    def stop(self) -> None:
        """End its daemons."""

    @abstractmethod
    def cancel_all(self) -> None:
        """Cancel whatever is queued or runs."""

    def up(self) -> None:
        """Bring it up; raises Unavailable, or Broken with the ends of all logs."""
        self.prepare()
        try:
            self.start()
        except (Broken, OSError, subprocess.SubprocessError) as error:
            raise Broken(f"{error}\n{self.logs()}") from error

    def prepare(self) -> None:
        make_user()
        for name in ("etc", "log", "run", "work"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        shutil.chown(self.work, USER, USER)

    def down(self, *, wipe: bool = False) -> None:
        """End all of it, jobs too; `wipe` also deletes the folder."""
        if self.home.is_dir():
            self.stop()
        if wipe:
            shutil.rmtree(self.home, ignore_errors=True)

    def daemon(self, name: str, *argv: str, **more: str) -> Daemon:
        return Daemon(name, self.home, argv, {"PATH": PATH, "LC_ALL": "C", **self.env, **more})

    def run(
        self, *argv: str, user: str = USER, stdin: str = "", cwd: Path | None = None, timeout: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a client's command as a user, in the work folder."""
        who = pwd.getpwnam(user)
        usual = {"PATH": PATH, "LC_ALL": "C", "HOME": who.pw_dir, "USER": user, "LOGNAME": user}
        return subprocess.run(
            argv,
            user=who.pw_uid,
            group=who.pw_gid,
            extra_groups=os.getgrouplist(user, who.pw_gid),
            env={**usual, **self.env},
            cwd=cwd or self.work,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def ask(self, *argv: str, stdin: str = "") -> str:
        """Run an administrator's command and return what it says; raises Broken when it fails."""
        done = self.run(*argv, user="root", stdin=stdin)
        if done.returncode:
            words = done.stderr.strip() or done.stdout.strip()
            raise Broken(f"`{' '.join(argv)}` ended with {done.returncode}: {words}")
        return done.stdout

    def logs(self, lines: int = 8) -> str:
        """Return the last lines of each log."""
        return "\n".join(line for path in self.log_files() for line in (f"--- {path}", *tail(path, lines)))

    def log_files(self) -> Iterator[Path]:
        """Yield the logs of all daemons, without what they print when they also write a log."""
        there = sorted(path for path in (self.home / "log").iterdir() if path.stat().st_size)
        yield from (path for path in there if path.suffix == ".log" or path.with_suffix(".log") not in there)


def tail(path: Path, lines: int) -> list[str]:
    """Return the last lines of a file."""
    return path.read_text("utf-8", "replace").splitlines()[-lines:]


def make_user() -> None:
    """Make the user that submits jobs, and a home where clusters come and go."""
    home = ROOT / "home"
    home.mkdir(parents=True, exist_ok=True)
    try:
        pwd.getpwnam(USER)
    except KeyError:
        options = ("--system", "--user-group", f"--home-dir={home}", "--shell=/bin/sh")
        subprocess.run(["useradd", *options, USER], check=True)
    shutil.chown(home, USER, USER)
