"""Torque's dialect of PBS: Torque itself (2.5 to 6.1) and the slurm-wlm-torque wrappers over Slurm.

Recorded are the wrappers of Slurm 22.05.8; Torque itself is read after its manuals. Odd about them:
- The dialect shows in the id: `7.server` and `7[].server` are Torque's, a bare number is the wrappers'.
- `qstat` knows no JSON, no history and (the wrappers) no `-t`. So an array is seen as a whole, never by element: Torque
  sums up what its elements do in one state. The wrappers give one job with an id of its own for each element that has
  started, and what did not start yet, or started last, under the array's id: they are asked for all jobs, and an array
  is known by its name. It is called ended only if as many as it has elements are shown and all have ended; else it
  vanishes a few minutes after its end (MinJobAge of Slurm), as every job does.
- The wrappers call what ran out of memory or lost its node U, and tell neither exit status nor who cancelled a job.
  Torque tells the exit status for `keep_completed` seconds.
- Torque prints variables as they are: a shell function that somebody exported goes on at the start of lines, and may look
  like fields. Those of the job come first.
- 153 says that no such job is known, and the scheduler has answered; the wrappers say so of an empty list, too.
- The wrappers read `#PBS` lines by sbatch, which passes over `-o` and `-j`: they stand on the command line. They take no
  script on standard input, and `qdel 7_3` would end all of array 7: elements are cancelled by scancel, which stands beside
  them. `qdel` of an unknown job ends 1 without a message.
- Backfill asks for no priority: the wrappers hand `-p -1024`, Torque's last place, on as `--nice=-1024`, their first.
- Without spank_pbs.so there are no PBS_ variables in a job of the wrappers; with it PBS_JOBID is an element's own id, and
  only SLURM_ARRAY_JOB_ID, which the runner reads first, is the array's. The wrappers' errors stand on standard output.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from penstock.campaign import Site
from penstock.decide import Outcome
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.runner.identity import strip_index
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.schedulers.pbs import NO_EXCLUSION
from penstock.schedulers.pbs_ids import array_id, array_range, by_id, find_known, ids_of, signed
from penstock.schedulers.text import (
    Refusal,
    answer,
    hours,
    last_match,
    mebibytes,
    raw_lines,
    refusal,
    token_of,
    write_ranges,
)
from penstock.transports.reply import Reply

NAME: str = "torque"
COMMANDS: tuple[str, ...] = ("qsub", "qstat", "qdel")
#: keys of a site for which not both dialects have a word; `#SBATCH` in `lines` reaches the wrappers
UNSUPPORTED = (
    "qos", "constraint", "reservation", "licences", "comment", "memory_per_cpu", "gpu_type", "exclusive",
    "scratch_disk_bytes",
)  # fmt: skip

STATES = {
    "Q": Phase.PENDING,  # queued
    "W": Phase.PENDING,  # waits for its start time
    "T": Phase.PENDING,  # in transition to another server
    "H": Phase.HELD,  # held; the wrappers call held jobs Q
    "R": Phase.RUNNING,  # runs
    "S": Phase.RUNNING,  # suspended
    "E": Phase.RUNNING,  # exiting: it has ended and is cleaned up after
    "C": Phase.ENDED,  # completed, failed or deleted
    "U": Phase.UNKNOWN,  # wrappers: any other state of Slurm, be it completing or out of memory
}
EXITS: dict[int, Outcome] = {
    271: "cancelled",  # SIGTERM by qdel
    -1: "unstarted",  # could not be started, before it had its files
    -2: "unstarted",  # the same, after
    -3: "unstarted",  # the same, and Torque gave up trying
    -4: "node_failure",  # the node's daemon (MoM) was restarted
    -5: "node_failure",  # the same, with a checkpoint
    -6: "node_failure",  # the same, with a checkpoint elsewhere
    -8: "unstarted",  # the shell could not be executed
    -9: "unstarted",  # its output could not be opened
    -10: "out_of_memory",  # memory
    -11: "timeout",  # walltime
    -12: "timeout",  # processor time
    -13: "unstarted",  # its control group could not be made
    -14: "unstarted",  # the prologue asked to try again
}

REFUSALS = (
    Refusal(r"unable to contact|timed out|connect failure|cannot connect", QueryFailed, "its name is looked up in the queue"),
    Refusal(r"maximum number of jobs|would exceed|\w*Submit\w*Job\w*|temporarily unable", SiteFull,
            "it is submitted again when others have finished"),
    Refusal(r"unknown queue|partition|queue is not enabled", SubmitRejected, "correct `queue` of [site.NAME]"),
    Refusal(r"unauthorized|not authorized|permission denied|bad uid", SubmitRejected,
            "correct `queue` or `account` of [site.NAME], or ask the administrators"),
    Refusal(r"invalid account", SubmitRejected, "correct `account` of [site.NAME]"),
    Refusal(r"array specification|array.*(?:exceed|limit|too large)|bad array", SubmitRejected,
            "lower `array_size` of [site.NAME]"),
    Refusal(r"exceeds queue|violates queue|time limit|--time|memory", SubmitRejected,
            "lower `max_walltime` or `max_memory` of [site.NAME], or take another `queue`"),
    Refusal(r"unknown resource|illegal attribute|illegal -\w value|(?:invalid|unknown|unrecognized) option|node config",
            SubmitRejected, "correct `lines` of [site.NAME]"),
)  # fmt: skip

BLOCK = re.compile(r"^Job Id:[ \t]*(\S+)[ \t]*\n((?:(?!Job Id:)[ \t]*\S.*\n)+)[ \t]*\n", re.MULTILINE)
FOLD = re.compile(r"\n\t(?!\w[\w.]* = )")  # how Torque goes on with a long value
FIELD = re.compile(r"^[ \t]+(\w[\w.]*) = (.*)$", re.MULTILINE)
SUBMITTED = r"\d+(?:(?:\[\])?\.[\w.-]*[A-Za-z][\w.-]*)?"

# Its own line closes the answer, so that an empty one proves something.
FIND = 'qstat -f; echo "qstat ended $?"'


def directives(request: Request, site: Site) -> list[str]:
    """Return the lines at the head of the job script."""
    wanted = [
        f"-l nodes={request.nodes}:ppn={request.cores}" + (f":gpus={request.gpus}" if request.gpus else ""),
        f"-l mem={mebibytes(request.memory_bytes)}mb" if request.memory_bytes else "",
        f"-l walltime={hours(request.walltime_s)}" if request.walltime_s else "",
        f"-q {queue}" if (queue := request.queue_at(site)) else "",
        f"-A {site.account}" if site.account else "",
    ]
    return raw_lines("#PBS", [*wanted, *site.lines])


def submit(script: str, request: Request, site: Site) -> list[str]:
    """Return the command that submits a script; what the wrappers do not read in it stands here."""
    array = ["-t", array_range(request)] if request.elements > 1 else []
    return ["qsub", "-N", request.token, "-r", "n", "-j", "oe", "-o", "/dev/null", *array, script]


def parse_submit(reply: Reply) -> str:
    """Return the native id."""
    found = last_match(reply.out, SUBMITTED) if reply.code == 0 else None
    if not found:
        raise refusal(Reply(reply.code, "", f"{reply.err}\n{reply.out}"), REFUSALS)
    return strip_index(found[0])


def is_wrapped(native: str) -> bool:
    """Whether an id is the wrappers'."""
    return native.isdigit()


def queue(jobs: Sequence[Known]) -> list[str]:
    """Return the one command that shows these jobs: by id, but all jobs where the wrappers hide elements."""
    hidden = any(is_wrapped(job.native or "") and job.elements > 1 for job in jobs)
    return ["qstat", "-f", *([] if hidden else ids_of(jobs))]


def parse_queue(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what is said about these jobs, arrays as a whole."""
    rows = read_rows(answer(reply, (0, 153)))
    if not rows and reply.code == 0:
        raise QueryFailed("qstat printed nothing: it is asked again")
    known, arrays = by_id(jobs), {job.token: job for job in jobs if job.native and job.elements > 1}
    parts: dict[tuple[Known, str], list[Sighting]] = {}
    for name, row in rows.items():
        if job := find_known(name, known) or arrays.get(row.get("Job_Name", "")):
            seen = _sighting(job, row)
            parts.setdefault((job, seen.token), []).append(seen)
    return [whole for (job, _), seen in parts.items() if (whole := _whole(job, seen))]


#: the first of these phases that an element has is its array's
FIRST = (Phase.RUNNING, Phase.PENDING, Phase.HELD, Phase.UNKNOWN, Phase.ENDED)


def _whole(job: Known, parts: Sequence[Sighting]) -> Sighting | None:
    first = min(parts, key=lambda part: FIRST.index(part.phase))
    hidden = first.phase is Phase.ENDED and is_wrapped(first.native) and len(parts) < job.elements
    return None if hidden else first


def read_rows(text: str) -> dict[str, dict[str, str]]:
    """Return id → fields of `qstat -f`; raises QueryFailed if one of its blocks was cut."""
    rows = {found[1]: dict(reversed(FIELD.findall(FOLD.sub("", found[2])))) for found in BLOCK.finditer(text)}
    if len(rows) < len(re.findall(r"^Job Id:", text, re.MULTILINE)):
        raise QueryFailed("qstat's answer was cut short: it is asked again")
    return rows


def _sighting(job: Known, row: Mapping[str, str]) -> Sighting:
    word = row.get("job_state", "")
    phase = STATES.get(word, Phase.UNKNOWN)
    status = signed(row.get("exit_status")) if phase is Phase.ENDED and job.elements == 1 else None
    return Sighting(
        native=job.native or "",
        element=None,
        phase=phase,
        word=word,
        reason=row.get("comment", ""),
        outcome=EXITS.get(status) if status is not None else None,
        node=row.get("exec_host", "").partition("/")[0],
        exit_code=status if status in range(256) else None,
        signal=status - 256 if status and status > 256 else None,
        token=token_of(job, row.get("Job_Name", "")),
    )


def history(jobs: Sequence[Known]) -> None:
    """Return None: it keeps no history."""


def parse_history(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return nothing, as nothing was asked."""
    return []


def find(tokens: Sequence[str]) -> list[str]:
    """Return the command that lists all jobs with their names: `qselect` is Torque's alone."""
    return ["sh", "-c", FIND]


def parse_find(reply: Reply, tokens: Sequence[str]) -> dict[str, str]:
    """Return token → native id; the lowest, which is the array's own while one of its elements waits."""
    if not last_match(text := answer(reply), r"qstat ended (?:0|153)"):
        raise QueryFailed(f"qstat gave an incomplete answer ({reply.words})")
    found: dict[str, str] = {}
    for name, row in read_rows(text).items():
        token, native = row.get("Job_Name", ""), strip_index(name)
        if token in tokens:
            found[token] = min(found.get(token, native), native, key=leading_number)
    return found


def leading_number(native: str) -> int:
    """Return the number of an id.

    >>> leading_number("7.server")
    7
    """
    return signed(native.partition(".")[0]) or 0


def cancel(job: Known, elements: Sequence[int] | None) -> list[str]:
    """Return the command that cancels a job or some of its elements."""
    native = job.native or ""
    if job.elements == 1 or (is_wrapped(native) and elements is None):
        return ["qdel", native]
    if elements is None:
        return ["qdel", array_id(native)]
    if is_wrapped(native):
        return ["scancel", f"{native}_[{write_ranges(elements)}]"]
    return ["qdel", "-t", write_ranges(elements), array_id(native)]


def limits() -> list[str]:
    """Return the command that lists the queues: the one question about itself that both dialects answer."""
    return ["qstat", "-Q"]


def parse_limits(reply: Reply) -> Limits:
    """Return the queues as a note."""
    _, head, rows = answer(reply).partition("Queue  ")
    queues = re.findall(r"^(\S+)[ \t].*[ \t](?:yes|no)[ \t]", rows, re.MULTILINE)
    if not head or not queues:
        raise QueryFailed("qstat -Q listed no queue: it is asked again")
    return Limits(accounting=False, notes=(NO_EXCLUSION, f"queues: {', '.join(queues)}"))
