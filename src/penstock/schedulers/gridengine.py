"""Grid Engine: Son of Grid Engine 8.1 (recorded from 8.1.9), and its kin of Sun, Univa and the Open Cluster Scheduler.

Odd about it:
- `qstat -u $user -xml` tells of our own jobs (it replaces `$user` itself) by name and number: running elements one by one,
  waiting ones as ranges. A job that ended is not in it; the document around the jobs proves that the master answered.
- `qacct -j` takes one number or one name, and in a name what file names may have: `*`, `?` and `[...]`, but no list. So
  the names of several jobs are laid over each other, place by place (`p[ab][xy]…`), which others hardly ever fit. A
  record comes up to 15 s after the end, and never for what was deleted before it ran or by force on a dead host.
- `failed` counts before `exit_status`, which reads 0 for a job whose shell was not found. 100 stands for any signal, so
  what `qdel` ended (137) looks like what ended itself by SIGKILL.
- A job that could not start, or that ends with 100, stays in the queue as Eqw although it has a record; one that ends
  with 99 is queued again whatever `-r n` says. Such records are no ends. The reason of Eqw is told by `qstat -j` alone.
- A job on a host that died stays r (dr once deleted) until the host is back.
- A folder that a node does not have puts the job in error, so it starts in `/` and its script goes where it belongs.
- The queue's own shell runs the script unless `-S` names one, whatever its first line says.
- h_vmem is counted per slot. `-notify` sends SIGUSR2 before SIGKILL, and SIGUSR1 before a suspension.
- `-P` is the project that pays; `-A` is a mere label.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from xml.etree import ElementTree

from penstock.campaign import Site
from penstock.decide import Outcome
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.schedulers.text import (
    Refusal,
    answer,
    expand_ranges,
    hours,
    last_match,
    mebibytes,
    raw_lines,
    refusal,
    token_of,
    write_ranges,
)
from penstock.transports.reply import Reply

NAME: str = "gridengine"
COMMANDS: tuple[str, ...] = ("qsub", "qstat", "qacct", "qdel")
#: keys for which Grid Engine has no word, or each site one of its own: a resource, or a parallel environment
UNSUPPORTED = (
    "qos", "licences", "comment", "gpus", "gpu_type", "nodes", "exclusive", "scratch_disk_bytes",
)  # fmt: skip

#: sge_status(5), without the R of a job that runs again and the d of one that is being deleted
STATES = {
    "qw": Phase.PENDING,  # queued and waiting
    "q": Phase.PENDING,  # Rq: queued again
    "hqw": Phase.HELD,  # held by a person, or by another job that it waits for
    "hwq": Phase.HELD,  # hRwq: the same, queued again
    "Eqw": Phase.HELD,  # could not be started, or ended with 100
    "Ehqw": Phase.HELD,  # the same and held
    "t": Phase.RUNNING,  # transferring: being sent to its host
    "r": Phase.RUNNING,  # runs
    "hr": Phase.RUNNING,  # runs; a hold that came after its start
    "s": Phase.RUNNING,  # suspended by a person
    "ts": Phase.RUNNING,  # the same while being sent to its host
    "S": Phase.RUNNING,  # suspended together with its queue
    "tS": Phase.RUNNING,  # the same while being sent to its host
    "T": Phase.RUNNING,  # suspended by a load threshold of its queue
    "tT": Phase.RUNNING,  # the same while being sent to its host
    "z": Phase.ENDED,  # has ended (only `-s z` shows it)
}
IN_ERROR = "in error: `qstat -j {0}` shows why, `qmod -cj {0}` lets it try again"

#: `failed` of an accounting record → what it means, and the class of failure
FAILED: dict[int, tuple[Phase, Outcome | None]] = {
    0: (Phase.ENDED, None),  # ran; the exit status counts
    12: (Phase.ENDED, None),  # ran; before the parallel environment was stopped
    13: (Phase.ENDED, None),  # ran; while it was stopped
    14: (Phase.ENDED, None),  # ran; before the epilog
    15: (Phase.ENDED, None),  # ran; in the epilog
    16: (Phase.ENDED, None),  # ran; its processors could not be given back
    17: (Phase.ENDED, None),  # ran; a signal ended it
    18: (Phase.ENDED, "node_failure"),  # its shepherd died
    19: (Phase.ENDED, "node_failure"),  # the same, probably with the machine
    20: (Phase.ENDED, "node_failure"),  # its shepherd met an unexpected error
    24: (Phase.PENDING, None),  # migrating: it is to move to another host
    25: (Phase.PENDING, None),  # is queued again
    26: (Phase.HELD, None),  # Eqw: its output could not be opened
    27: (Phase.HELD, None),  # Eqw: its shell was not found
    28: (Phase.HELD, None),  # Eqw: its folder was not found
    30: (Phase.HELD, None),  # Eqw: it ended with 100
    37: (Phase.ENDED, "timeout"),  # h_rt; h_cpu and h_vmem say the same
    100: (Phase.ENDED, None),  # ran; a signal ended it, that of qdel perhaps
}  # all others: it was not started and is queued again, or nobody knows
BY_SIGNAL = (17, 37, 100)

REFUSALS = (
    Refusal(r"send message|commlib|answer list|got \w+ error|timeout", QueryFailed, "its name is looked up in the queue"),
    Refusal(r"jobs? (?:are|is) allowed|allowed per user|job count|max_u_jobs", SiteFull,
            "it is submitted again when others have finished"),
    Refusal(r"unknown queue|queue.* does not exist", SubmitRejected, "correct `queue` of [site.NAME]"),
    Refusal(r"project", SubmitRejected, "correct `account` of [site.NAME]"),
    Refusal(r"more than \d+ tasks|invalid task id", SubmitRejected, "lower `array_size` of [site.NAME]"),
    Refusal(r"parallel environment", SubmitRejected,
            'name one that `qconf -spl` shows: lines = ["-pe NAME CPUS"] in [site.NAME]'),
    Refusal(r"no suitable queues", SubmitRejected,
            "lower `max_walltime` or `max_memory` of [site.NAME], or take another `queue`"),
    Refusal(r"unknown resource|unable to parse|invalid option|unknown option", SubmitRejected,
            "correct `constraint` or `lines` of [site.NAME]"),
    Refusal(r"denied|permission|not allowed|no access", SubmitRejected,
            "correct `queue` or `account` of [site.NAME], or ask the administrators"),
)  # fmt: skip

SUBMITTED = r'(?:Your job(?:-array)? )?(\d+)(?:\.\d+-\d+:\d+)?(?: \(".*"\) has been submitted)?'
DOCUMENT = re.compile(r"<\?xml.*</job_info>", re.DOTALL)
RECORD = re.compile(r"^={20,}\n(?=qname)", re.MULTILINE)
FIELD = re.compile(r"^(\w+)[ \t]+(.*?)[ \t]*\n", re.MULTILINE)
NEEDED = {"hostname", "jobname", "jobnumber", "taskid", "failed", "exit_status"}
MASTER = "qstat -help | head -n 1; qconf -sconf"


def directives(request: Request, site: Site) -> list[str]:
    """Return the lines at the head of the job script; `constraint` is a resource, as in `arch=lx-amd64`."""
    wanted = [
        "-S /bin/sh",
        "-wd /",
        "-j y",
        "-o /dev/null",
        "-notify",
        f"-pe smp {request.cores}" if request.cores > 1 else "",
        f"-l h_rt={hours(request.walltime_s)}" if request.walltime_s else "",
        f"-l h_vmem={mebibytes(-(-request.memory_bytes // request.cores))}M" if request.memory_bytes else "",
        f"-l h=!({'|'.join(request.excluded)})" if request.excluded else "",
        f"-l {site.constraint}" if site.constraint else "",
        f"-ar {site.reservation}" if site.reservation else "",
        f"-q {queue}" if (queue := request.queue_at(site)) else "",
        f"-P {site.account}" if site.account else "",
        "-p -1023" if request.behind else "",
    ]
    return raw_lines("#$", [*wanted, *site.lines])


def submit(script: str, request: Request, site: Site) -> list[str]:
    """Return the command that submits a script; what makes the job's identity stands here, where it wins over raw lines."""
    array = ["-t", f"1-{request.elements}"] if request.elements > 1 else []
    throttle = ["-tc", str(request.max_parallel)] if array and request.max_parallel else []
    return ["qsub", "-terse", "-b", "n", "-N", request.token, "-r", "n", *array, *throttle, script]


def parse_submit(reply: Reply) -> str:
    """Return the native id."""
    found = last_match(reply.out, SUBMITTED) if reply.code == 0 else None
    if not found:
        raise refusal(reply, REFUSALS)
    return found[1]


def queue(jobs: Sequence[Known]) -> list[str]:
    """Return the one command that lists all our jobs."""
    return ["qstat", "-u", "$user", "-xml"]


def parse_queue(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what the queue says about these jobs, by element."""
    known = {job.native or job.token: job for job in jobs}
    told = ((row, _known(row, known)) for row in _rows(answer(reply)))
    return [one for row, job in told if job for one in _sightings(row, job)]


def _known(row: Mapping[str, str], known: Mapping[str, Known]) -> Known | None:
    return known.get(row.get("JB_job_number", "")) or known.get(row.get("JB_name", ""))


def _rows(text: str) -> Iterator[dict[str, str]]:
    document = DOCUMENT.search(text)
    if not document or "<!" in document[0]:
        raise QueryFailed("qstat's answer is cut short or not XML: it is asked again")
    try:
        root = ElementTree.fromstring(document[0])
    except (ElementTree.ParseError, ValueError) as error:
        raise QueryFailed(f"qstat's answer is cut short or not XML ({error}): it is asked again") from error
    if root.tag != "job_info" or root.find("queue_info") is None or root.find("job_info") is None:
        raise QueryFailed(f"qstat answered with <{root.tag}> instead of its jobs: it is asked again")
    return ({field.tag: (field.text or "").strip() for field in job} for job in root.iter("job_list"))


def _sightings(row: Mapping[str, str], job: Known) -> Iterator[Sighting]:
    native, word = row.get("JB_job_number", ""), row.get("state", "")
    phase = STATES.get(word.replace("R", "").removeprefix("d"), Phase.UNKNOWN)
    reason = IN_ERROR.format(native) if "E" in word else "is being deleted" if word[:1] == "d" else ""
    for element in _elements(row.get("tasks", "")):
        yield Sighting(
            native=native,
            element=element,
            phase=phase,
            word=word,
            reason=reason,
            node=row.get("queue_name", "").partition("@")[2],
            token=token_of(job, row.get("JB_name", "")),
        )


def _elements(tasks: str) -> Sequence[int | None]:
    try:
        return expand_ranges(tasks) if tasks else [None]
    except ValueError as error:
        raise QueryFailed(f"Grid Engine named elements in a way that was not expected: {error}") from error


def history(jobs: Sequence[Known]) -> list[str] | None:
    """Return the one command that shows how these jobs ended, and perhaps a few others."""
    return ["qacct", "-j", overlay([job.token for job in jobs])]


def overlay(names: Sequence[str]) -> str:
    """Return one pattern that all these names fit.

    >>> overlay(["pab", "pcb"])
    'p[ac]b'
    """
    places = [sorted(set(letters)) for letters in zip(*names, strict=False)]
    rest = "*" if len({len(name) for name in names}) > 1 else ""
    return "".join(f"[{''.join(place)}]" if len(place) > 1 else place[0] for place in places) + rest


def parse_history(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return the ends that were recorded, the last of each element."""
    if reply.code == 1 and re.search(r"^error: job (?:name|id) \S+ not found", reply.err, re.MULTILINE):
        return []
    asked = {(job.token, job.native) for job in jobs}
    ends: dict[tuple[str, int | None], Sighting] = {}
    for record in _records(answer(reply)):
        if asked & {(record["jobname"], record["jobnumber"]), (record["jobname"], None)}:
            seen = _end(record)
            ends[seen.native, seen.element] = seen
    return [seen for seen in ends.values() if seen.phase is Phase.ENDED]


def _records(text: str) -> list[dict[str, str]]:
    records = [dict(reversed(FIELD.findall(part))) for part in RECORD.split(text)[1:]]
    if not records or any(not record.keys() >= NEEDED for record in records):
        raise QueryFailed("qacct's answer was cut short: it is asked again")
    return records


def _end(record: Mapping[str, str]) -> Sighting:
    failed, status = leading_number(record["failed"]), leading_number(record["exit_status"])
    phase, outcome = FAILED.get(failed, (Phase.UNKNOWN, None))
    signal = status - 128 if failed in BY_SIGNAL and status > 128 else None
    return Sighting(
        native=record["jobnumber"],
        element=None if record["taskid"] == "undefined" else leading_number(record["taskid"]),
        phase=phase,
        word=record["failed"],
        reason=record["failed"].partition(":")[2].strip(),
        outcome=outcome,
        node=record["hostname"],
        exit_code=status if signal is None and outcome is None else None,
        signal=signal,
        token=record["jobname"],
    )


def leading_number(text: str) -> int:
    """Return the number at the head of a field; -1 if there is none.

    >>> leading_number("137                  (Killed)")
    137
    """
    found = re.match(r"\d{1,18}", text)
    return int(found[0]) if found else -1


def find(tokens: Sequence[str]) -> list[str]:
    """Return the command that lists all our jobs with their names; finished ones are not in it."""
    return queue([])


def parse_find(reply: Reply, tokens: Sequence[str]) -> dict[str, str]:
    """Return token → native id; of two with one name the later one."""
    rows = sorted(_rows(answer(reply)), key=lambda row: leading_number(row.get("JB_job_number", "")))
    return {
        name: row.get("JB_job_number", "") for row in rows if (name := row.get("JB_name")) in tokens and name
    }


def cancel(job: Known, elements: Sequence[int] | None) -> list[str]:
    """Return the command that cancels a job or some of its elements; `-t` would take one range only."""
    native = job.native or ""
    if elements is None or job.elements == 1:
        return ["qdel", native]
    return ["qdel", *(f"{native}.{part}" for part in write_ranges(elements).split(","))]


def limits() -> list[str]:
    """Return the command that shows version and configuration."""
    return ["sh", "-c", MASTER]


def parse_limits(reply: Reply) -> Limits:
    """Return what the master's configuration allows; 0 is no limit."""
    text = answer(reply).replace("\\\n", " ")
    told = dict(re.findall(r"^(\w+)[ \t]+(.*?)[ \t]*$", text, re.MULTILINE))
    if "max_aj_tasks" not in told:
        raise QueryFailed("qconf did not show its whole configuration: it is asked again")
    version = last_match(text.partition("#global")[0], r"\S*GE\S* +\S+|OCS.*")
    return Limits(
        version=version[0] if version else "",
        array_size=leading_number(told["max_aj_tasks"]) or None,
        accounting="accounting=true" in told.get("reporting_params", ""),
        notes=tuple(f"{key} = {told[key]}" for key in ("max_aj_instances", "max_u_jobs") if key in told),
    )
