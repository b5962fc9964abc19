"""The process that starts elements as there is room, and follows them to their ends."""

import fcntl
import os
import signal
import subprocess
import sys
import time
import traceback
from typing import Dict, List, Set, Tuple

from ..identity import ELEMENT, JOB, boot_id
from .jobs import Job, Spool
from .processes import End, Process, kill, left_of, send, this_process, wait_for
from .room import Room

POLL_S, TROUBLE_S = 0.5, 10.0
UNBEGUN = 75  # exit code of a process that did not become an element

Named = Tuple[str, int]
"""Token and element."""


def wake(spool: Spool) -> None:
    """Start a supervisor, with our lock, if there is none and something to do; the spool must be locked."""
    fd = os.open(spool.path("supervisor"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if spool.active():
            _start(spool, fd)
    except BlockingIOError:  # there is one
        return
    finally:
        os.close(fd)


def _start(spool: Spool, lock: int) -> None:
    with open(spool.path("supervisor.log"), "wb") as log:
        subprocess.Popen(
            [sys.executable, "-I", "-S", sys.path[0], str(lock)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=[lock],
            start_new_session=True,
            cwd="/",
            env={"PATH": os.defpath, "HOME": os.path.expanduser("~")},
        )


class Supervisor:
    """The loop around all elements of this machine."""

    def __init__(self, spool: Spool, lock: int) -> None:
        os.set_inheritable(lock, False)
        self._spool = spool
        self._lock = lock
        self._children: Dict[Named, int] = {}
        self._asked: Dict[Named, float] = {}  # to end, and when
        self._rests_until = 0.0

    def run(self) -> None:
        """Work until all jobs are over."""
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
        while not self.leave():
            try:
                self.turn()
            except OSError as error:  # such as a full disk: what is not written down is tried again
                self.rest(error)
            signal.sigtimedwait([signal.SIGCHLD], POLL_S)

    def leave(self) -> bool:
        """Leave if nothing is left to do; return whether that is so."""
        if self._children or self._spool.active():
            return False
        with self._spool.locked():
            self._spool.tidy_up()
            if self._spool.active():
                return False
            os.close(self._lock)
            return True

    def rest(self, why: object) -> None:
        """Start nothing for a while."""
        self._rests_until = time.monotonic() + TROUBLE_S
        print("supervisor: {}".format(why), file=sys.stderr, flush=True)

    def turn(self) -> None:
        """Take in what happened, and start what there is room for."""
        jobs = self._spool.active()
        for job in jobs:
            for element in job.cancelled - self._out(job) - job.ended.keys():
                job.note("ended", element, "cancelled")
            for element in self._out(job):
                self.follow(job, element)
        if time.monotonic() >= self._rests_until:
            self.begin(jobs)

    def _out(self, job: Job) -> Set[int]:
        return job.active | {element for token, element in self._children if token == job.token}

    def begin(self, jobs: List[Job]) -> None:
        """Start elements, those of earlier jobs first, until there is no room for the next."""
        room = Room()
        for job in jobs:
            room.take(job, len(self._out(job)))
        for job in jobs:
            out = self._out(job)
            free = (job.asked["parallel"] or len(job.elements)) - len(out)
            for element in [each for each in job.waiting if each not in out][: max(0, free)]:
                if not room.has_for(job):
                    return
                if not room.allows(job):
                    break
                room.take(job)
                self._children[job.token, element] = fork(job, element)

    def follow(self, job: Job, element: int) -> None:
        """Take in how an element ended, or make it end when it must."""
        pid = self._children.get((job.token, element))
        end = wait_for(pid) if pid else None
        if end:
            job.refresh()
        process = job.started.get(element)
        if end and (process is None or process.pid != pid):  # it did not become the element
            self.reap(job, element)
            if element in job.waiting:
                self.rest("element {} of {} did not begin".format(element, job.token))
            return
        if process is None:
            return
        if not pid and not process.lives():
            end = End("vanished" if process.boot == boot_id() else "restarted")
        why = why_end(job, element, process)
        if end is None:
            self.make_end(job, element, process, why)
        elif not kill(left_of(job.token, element, session=pid)):
            job.note("ended", element, *end._replace(word=why or end.word))
            self.reap(job, element)

    def make_end(self, job: Job, element: int, process: Process, why: str) -> None:
        """Ask an element to end for a reason, if there is one, and kill it when it takes too long."""
        if not why:
            return
        if (job.token, element) not in self._asked:
            self._asked[job.token, element] = time.monotonic()
            send(process.pid, signal.SIGTERM)
        elif time.monotonic() > self._asked[job.token, element] + job.asked["grace_s"]:
            kill([process.pid, *left_of(job.token, element, session=process.pid)])

    def reap(self, job: Job, element: int) -> None:
        """Let a process of ours go."""
        self._asked.pop((job.token, element), None)
        pid = self._children.pop((job.token, element), None)
        if pid:
            os.waitpid(pid, 0)


def why_end(job: Job, element: int, process: Process) -> str:
    """Return why an element must end, if so."""
    if element in job.cancelled:
        return "cancelled"
    limit = job.asked["walltime_s"]
    late = limit is not None and process.boot == boot_id() and process.age_s() > limit
    return "timeout" if late else ""


def fork(job: Job, element: int) -> int:
    """Start an element; return its process."""
    pid = os.fork()
    if pid == 0:
        try:
            become(job, element)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(UNBEGUN)
    return pid


def become(job: Job, element: int) -> None:
    """Write down that an element starts, unless it may not or did before, and become its script."""
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them for itself
        signal.signal(number, signal.SIG_DFL)
    with job.writing() as add:
        if element not in job.waiting:
            return
        add("started", element, *this_process())
    null = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.chdir("/")
    os.umask(job.asked["umask"])
    words = iter([word.encode("latin-1") for word in job.asked["environment"]])
    own = {JOB: job.token, ELEMENT: str(element)}
    environment = dict(zip(words, words))
    environment.update((name.encode("ascii"), value.encode("ascii")) for name, value in own.items())
    os.execve("/bin/sh", [b"sh", job.asked["script"].encode("utf-8", "surrogateescape")], environment)
