"""What a far machine is asked, and its answers: each is a line behind a mark."""

import json
import os
import sys
from typing import Callable, Dict, Iterator, List

from .jobs import Asked, Job, Spool
from .room import Amount, Room, machine, within
from .supervisor import Supervisor, wake

MARK = "penstock-local"


def answer(question: str, asked: str) -> None:
    """Answer a question, or say why there is no answer."""
    umask = os.umask(0o077)
    try:
        told = QUESTIONS[question](dict(json.loads(asked), umask=umask))
    except OSError as error:
        sys.exit("{}: {}".format(error.filename or question, error.strerror))
    print("{} {}".format(MARK, json.dumps(told)))


def supervise(lock: str) -> None:
    """Work until all jobs are over."""
    Supervisor(Spool(), int(lock)).run()


def submit(asked: Asked) -> Asked:
    """Add a job, and let it be started."""
    there = within(asked["most"], machine())
    if asked.pop("exclusive"):
        asked["cores"] = there.cores
    if asked["cores"] > there.cores or asked["memory"] > there.memory:
        return dict(there._asdict(), refused=os.uname().nodename)
    spool, token = Spool(), asked.pop("token")
    with spool.locked():
        spool.add(token, dict(asked, environment=[word.decode("latin-1") for word in _words()]))
        wake(spool)
    return {"job": token}


def _words() -> Iterator[bytes]:
    """Yield the names and values of our environment, in turn, but what a Python adds to it by itself (PEP 538)."""
    for name, value in os.environb.items():
        if name != b"LC_CTYPE":
            yield from (name, value)


def queue(asked: Asked) -> Asked:
    """Tell how jobs stand; none named: all."""
    spool, room = Spool(), Room()
    trouble = last_words(spool.path("supervisor.log"))
    with spool.locked():
        wake(spool)
    for job in spool.active():
        room.take(job, len(job.active))
    jobs = [*filter(None, map(spool.find, asked["tokens"] or spool.tokens()))]
    told = {job.token: stand(job) for job in jobs}
    about = {"host": os.uname().nodename, "cores": room.there.cores, "taken": room.cores}
    return dict(about, jobs=told, trouble=trouble)


def last_words(path: str) -> str:
    """Return the last line of a log, if there is one."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()[-1000:].strip().rpartition("\n")[2]
    except FileNotFoundError:
        return ""


def stand(job: Job) -> Asked:
    """Tell how the elements of a job stand."""
    ended = [(element, *end) for element, end in sorted(job.ended.items())]
    return {"elements": len(job.elements), "running": sorted(job.active), "ended": ended}


def cancel(asked: Asked) -> Asked:
    """Let elements end, or all; what is unknown or over needs nothing."""
    spool = Spool()
    with spool.locked():
        job = spool.find(asked["token"])
        if job:
            job.note("cancel", asked["elements"] or [*job.elements])
        wake(spool)
    return {}


def limits(_asked: Asked) -> Asked:
    """Tell what this machine is."""
    there: Amount = machine()
    return dict(there._asdict(), host=os.uname().nodename, ends_all=ends_all())


def ends_all() -> bool:
    """Whether this machine ends all processes of a user who logs out (logind.conf)."""
    try:
        with open("/etc/systemd/logind.conf", encoding="utf-8", errors="replace") as file:
            return any(line.strip() == "KillUserProcesses=yes" for line in file)
    except OSError:
        return False


QUESTIONS: Dict[str, Callable[[Asked], Asked]] = {
    "submit": submit,
    "queue": queue,
    "cancel": cancel,
    "limits": limits,
}


def main(words: List[str]) -> None:
    """Supervise with a lock, or answer a question."""
    if len(words) == 1:
        supervise(words[0])
    else:
        answer(*words)
