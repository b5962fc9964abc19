"""Jobs on disk: what was asked for, written once, and a log of facts."""

import errno
import fcntl
import json
import os
import time
from contextlib import contextmanager
from typing import Any, Callable, Dict, Generator, List, Optional, Set

from ..files import write_all, write_file
from .processes import End, Process

FOLDER = "~/.local/state/penstock/spool-1"  # another layout of its files needs another number
ACTIVE, OVER, LOG = ".json", ".over", ".log"
KEPT_S = 7 * 86400.0  # that an ended job is remembered

Asked = Dict[str, Any]


class Job:
    """A job: what was asked for, and the facts of its log."""

    def __init__(self, path: str) -> None:
        self.path, stem = path, os.path.splitext(path)[0]
        self.token, self.log = os.path.basename(stem), stem + LOG
        with open(path, encoding="ascii") as file:
            self.asked: Asked = json.load(file)
        self.elements = range(1, self.asked["elements"] + 1)
        self.started: Dict[int, Process] = {}
        self.ended: Dict[int, End] = {}
        self.cancelled: Set[int] = set()
        self._offset = 0

    def refresh(self) -> None:
        """Read the facts that were added."""
        try:
            with open(self.log, "rb") as file:
                file.seek(self._offset)
                whole, end, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            return
        self._offset += len(whole + end)
        for line in whole.splitlines():
            self._take_in(line)

    def _take_in(self, line: bytes) -> None:
        try:
            word, element, *more = json.loads(line.decode("ascii"))
        except ValueError:  # whoever wrote it was killed, or had no room
            return
        if word == "started":
            self.started[element] = Process(*more)
        elif word == "ended":
            self.ended.setdefault(element, End(*more))
        else:
            self.cancelled.update(element)

    @contextmanager
    def writing(self) -> Generator[Callable[..., None], None, None]:
        """Know all facts, and be the only one who adds some."""
        fd = os.open(self.log, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            self.refresh()
            yield lambda *fact: _add_line(fd, json.dumps(fact))
            self.refresh()
        finally:
            os.close(fd)

    def note(self, *fact: Any) -> None:
        """Add a fact."""
        with self.writing() as add:
            add(*fact)

    @property
    def waiting(self) -> List[int]:
        """Return the elements that may still start."""
        out = self.started.keys() | self.ended.keys() | self.cancelled
        return [element for element in self.elements if element not in out]

    @property
    def active(self) -> Set[int]:
        """Return the elements that have started, and whose end is not written down."""
        return self.started.keys() - self.ended.keys()

    @property
    def is_over(self) -> bool:
        return len(self.ended) >= len(self.elements)

    @property
    def place(self) -> str:
        """The folder that all jobs of a campaign have in common."""
        return os.path.dirname(os.path.dirname(self.asked["script"]))


class Spool:
    """The jobs of a user on this machine."""

    def __init__(self) -> None:
        self.folder = os.path.join(os.path.expanduser(FOLDER), os.uname().nodename)
        self._jobs: Dict[str, Job] = {}
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        if os.stat(self.folder).st_uid != os.geteuid():
            raise OSError(errno.EPERM, "it belongs to another user", self.folder)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def active(self) -> List[Job]:
        """Return the jobs that are not over as they are now, in the order in which they came."""
        found = {token: self._jobs.get(token) or self.find(token) for token in self._tokens(ACTIVE)}
        self._jobs = {token: job for token, job in found.items() if job}
        for job in self._jobs.values():
            job.refresh()
        jobs = [job for job in self._jobs.values() if not job.is_over]
        return sorted(jobs, key=lambda job: (job.asked["at"], job.token))

    def find(self, token: str) -> Optional[Job]:
        """Return a job as it is now, if it is there."""
        for end in (ACTIVE, OVER):
            try:
                job = Job(self.path(token + end))
            except FileNotFoundError:
                continue
            job.refresh()
            return job
        return None

    def tokens(self) -> List[str]:
        """Return the names of all jobs."""
        return [*self._tokens(ACTIVE), *self._tokens(OVER)]

    def _tokens(self, end: str) -> List[str]:
        return [name[: -len(end)] for name in os.listdir(self.folder) if name.endswith(end)]

    def add(self, token: str, asked: Asked) -> None:
        """Add a job, once: under the same token it is there already."""
        if not self.find(token):
            about = dict(asked, at=time.time())
            write_file(self.path(token + ACTIVE), [json.dumps(about).encode("ascii")])

    def tidy_up(self) -> None:
        """Put away the jobs that are over, and forget those that have been for long."""
        for token in self._tokens(ACTIVE):
            job = self.find(token)
            if job and job.is_over:
                os.rename(job.path, self.path(token + OVER))
        for token in self._tokens(OVER):
            log = self.path(token + LOG)
            if time.time() - os.stat(log).st_mtime > KEPT_S:
                os.unlink(self.path(token + OVER))
                os.unlink(log)

    @contextmanager
    def locked(self) -> Generator[None, None, None]:
        """Let no supervisor come or go meanwhile."""
        fd = os.open(self.path("lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _add_line(fd: int, text: str) -> None:
    """Add a line behind whatever stands in a file, also where a line there was cut."""
    size = os.fstat(fd).st_size
    cut = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
    write_all(fd, ("\n" * cut + text + "\n").encode("ascii"))
