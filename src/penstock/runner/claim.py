"""The claim: the process that creates an element's event file owns the element."""

import errno
import json
import os
import sys
import time
from typing import Any, Dict, List, NamedTuple, Optional, Set, Tuple

from .events import Events, make_reserve, members
from .files import sync_folder
from .identity import boot_id, runner_digest, space_id, start_ticks
from .orphans import end_orphans
from .sealed import unseal
from .software import describe_software
from .spec import Job, Spec

TORN_CLAIM_S = 5.0  # a claim without its first line after so long was left by a process that died
SILENT_BEATS = 3  # without a sign of life, after which a life that cannot be seen is over
NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)

TaskId = Tuple[int, int]


class Past(NamedTuple):
    """What earlier lives of the element finished."""

    ended: Dict[TaskId, str]
    begun: Set[TaskId]  # with nothing in the way of their products
    given: Set[TaskId]
    batches: Set[int]
    whys: List[str]


class Claim(NamedTuple):
    """An element that is ours."""

    job: Job
    events: Events
    past: Past


def claim_element(folder: str, spec: Spec, element: int, native: str) -> Optional[Claim]:
    """Claim the next life of an element; None: another process has it. Raises OSError on a full disk."""
    while True:
        job, holder = _next_life(Job(folder, spec, element, 1))
        if holder and (holder.get("native") != native or _lives(job, holder)):
            _record_double(job, native, holder)
            return None
        make_reserve(job.file("{}.reserve".format(job.life)))
        claim = _take(job, native)
        if claim:
            _bury(job, holder)
            return claim


def _next_life(job: Job) -> Tuple[Job, Optional[Dict[str, Any]]]:
    life = 1
    while os.path.exists(job.file("{}.jsonl".format(life))):
        life += 1
    holder = _read_claim(job.file("{}.jsonl".format(life - 1))) if life > 1 else None
    return job._replace(life=life), holder


def _read_claim(path: str) -> Optional[Dict[str, Any]]:
    until = time.monotonic() + TORN_CLAIM_S
    while True:
        with open(path, "rb") as file:
            line = file.readline()
        if line.endswith(b"\n"):
            return unseal(line)
        if time.monotonic() > until:
            return None
        time.sleep(0.05)


def _lives(job: Job, holder: Dict[str, Any]) -> bool:
    """Return whether the life before ours still runs; one that cannot be seen does as long as it writes."""
    if not holder.get("boot") or holder["boot"] != boot_id():
        return False
    if holder.get("space", space_id()) != space_id() or start_ticks(os.getpid()) is None:
        return _grows(job.file("{}.jsonl".format(job.life - 1)), SILENT_BEATS * job.spec.beat_s)
    return start_ticks(holder["pid"]) == holder.get("start") and holder["pid"] != os.getpid()


def _grows(path: str, seconds: float) -> bool:
    size, until = os.path.getsize(path), time.monotonic() + seconds
    while time.monotonic() < until:
        if os.path.getsize(path) != size:
            return True
        time.sleep(min(1.0, seconds / 10))
    return False


def _record_double(job: Job, native: str, holder: Dict[str, Any]) -> None:
    line = {
        "t": job.spec.token,
        "i": job.element,
        "e": "double",
        "at": round(time.time(), 3),
        "native": native,
        "held": holder.get("native"),
        "host": os.uname().nodename,
        "pid": os.getpid(),
    }
    fd = os.open(os.path.join(job.folder, "doubles.jsonl"), os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
    os.write(fd, (json.dumps(line) + "\n").encode("ascii"))
    os.close(fd)


def _take(job: Job, native: str) -> Optional[Claim]:
    """Create the event file with its first line in it, in one step; None: another process was faster."""
    path = job.file("{}.jsonl".format(job.life))
    draft = "{}.{}.{}".format(path, os.uname().nodename, os.getpid())
    fd = os.open(draft, os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_RDWR, 0o600)
    events = Events(fd, job.spec.token, job.element, job.life, job.file("{}.reserve".format(job.life)))
    try:
        events.announce([events.line("claim", members(_claim_fields(job.spec, native)))])
        os.fsync(fd)
        _publish(draft, path)
    except FileExistsError:
        os.close(fd)
        return None
    finally:
        if os.path.lexists(draft):
            os.unlink(draft)
    sync_folder(job.folder)
    return Claim(job, events, _read_past(job))


def _publish(draft: str, path: str) -> None:
    try:
        os.link(draft, path)
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        os.rename(draft, path)


def _claim_fields(spec: Spec, native: str) -> Dict[str, Any]:
    return {
        "native": native,
        "host": os.environ.get("SLURMD_NODENAME") or os.uname().nodename,
        "boot": boot_id(),
        "pid": os.getpid(),
        "start": start_ticks(os.getpid()),
        "space": space_id(),
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "runner": runner_digest(sys.argv[0]),
        "software": describe_software(spec.variables, dict(spec.versions), spec.environment),
    }


def _read_past(job: Job) -> Past:
    past = Past({}, set(), set(), set(), [])
    for life in range(1, job.life):
        with open(job.file("{}.jsonl".format(life)), "rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    _remember(past, line)
    return past


def _remember(past: Past, line: bytes) -> None:
    try:
        _take_in(past, unseal(line) or {})
    except (KeyError, TypeError, ValueError):  # a line that is damaged
        return


def _take_in(past: Past, event: Dict[str, Any]) -> None:
    kind = event.get("e")
    if kind == "start" and event.get("clear"):
        past.begun.add((event["s"], event["u"]))
    elif kind == "end":
        past.ended[event["s"], event["u"]] = event["o"]
        past.whys.append(event.get("why") or "")
    elif kind == "give":
        past.given.update((stage, unit) for stage, unit in event["tasks"])
    elif kind == "batch":
        past.batches.add(event["number"])


def _bury(job: Job, holder: Optional[Dict[str, Any]]) -> None:
    """End what an earlier life left running here, and release its reserved space."""
    for life in range(1, job.life):
        earlier = job._replace(life=life)
        if holder and holder.get("boot") == boot_id():
            end_orphans(earlier.mark)
        reserve = job.file("{}.reserve".format(life))
        if os.path.exists(reserve):
            os.unlink(reserve)
