"""PBS Professional from version 18 on, which brought JSON, and OpenPBS; recorded from OpenPBS 23.06.06.

Odd about it:
- One `qstat -x -t -f -F json` tells of waiting, running and finished jobs with their elements, so there is no history to
  ask apart. Where `job_history_enable` is off `-x` is refused, and then no job is ever called ended or lost.
- Its JSON is printed even when no server answers: the exit code decides. 153 (unknown id) and 35 (finished) come with
  all that is known of the other ids. Variables of other people's jobs may make it invalid, so they are left out then.
- `Exit_status` stands in an array and its waiting elements too (1, as soon as one element failed): only what ended and
  had a node is believed. Negative ones are PBS's own, above 256 a signal killed the job's shell. 271 (SIGTERM) is `qdel`
  with substate 91, whatever the script made of the signal; with another one it may be a time limit of an old PBS.
- What ended without a node was deleted (substate 91), or its dependency failed (92). An element that was deleted while it
  waited is told with the substate and the `Exit_status` of its array, which may both be those of a good end.
- `qsub` refuses an array that may not be rerun ("cannot submit non-rerunable Array Job"), also where a site's default is
  that. An element that PBS starts again has its old id, so its runner goes on as the next life.
- Ids are `7.server`, `7[].server` and `7[3].server`; an array of one element is refused, and `%` is not known before 20.
- It prints local times without their zone, so it is asked under TZ=UTC0.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, cast

from penstock.campaign import Site
from penstock.decide import Outcome
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.runner.identity import strip_index
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.schedulers.pbs_ids import (
    array_id,
    array_range,
    by_id,
    element_of,
    find_known,
    ids_of,
    signed,
)
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

NAME: str = "pbs"
COMMANDS: tuple[str, ...] = ("qsub", "qstat", "qselect", "qdel")
#: keys for which PBS has no word, or each site one of its own: a reservation is a `queue`, licences are resources
UNSUPPORTED = (
    "qos", "reservation", "licences", "comment", "memory_per_cpu", "gpu_type", "scratch_disk_bytes",
)  # fmt: skip
NO_EXCLUSION = "nodes cannot be excluded: a job may meet one again on which another failed"

STATES = {
    "Q": Phase.PENDING,  # queued
    "W": Phase.PENDING,  # waits for its start time
    "T": Phase.PENDING,  # in transition to another server
    "H": Phase.HELD,  # held by a person, or by PBS after 20 failed starts
    "B": Phase.RUNNING,  # an array of which an element has started
    "R": Phase.RUNNING,  # runs
    "S": Phase.RUNNING,  # suspended by the server
    "U": Phase.RUNNING,  # suspended because someone uses the workstation
    "E": Phase.RUNNING,  # exiting: it has ended and is cleaned up after
    "X": Phase.ENDED,  # an element that has ended, in an array that has not
    "F": Phase.ENDED,  # finished, failed or deleted
    "M": Phase.UNKNOWN,  # moved: only the other server knows
}
#: substate → phase, where it says more than the state
SUBSTATES = {
    22: Phase.PENDING,  # H: waits for another job
}
#: exit status → class of failure; negative ones are the Reference Guide's "Job Exit Codes"
EXITS: dict[int, Outcome] = {
    -1: "unstarted",  # could not be started, before it had its files
    -2: "unstarted",  # the same, after
    -3: "unstarted",  # the same, and PBS gave up trying
    -4: "node_failure",  # the node's daemon (MoM) was restarted
    -5: "node_failure",  # the same, with a checkpoint
    -6: "node_failure",  # the same, with a checkpoint elsewhere
    -10: "unstarted",  # its user is not known on the node
    -13: "unstarted",  # its password was wrong
    -14: "node_failure",  # two of its nodes lost each other
    -16: "unstarted",  # a hook refused it for now
    -17: "unstarted",  # a hook refused it
    -18: "unstarted",  # a hook asked for it to be started again
    -19: "cancelled",  # a hook deleted it
    -20: "node_failure",  # the server lost its node
    -21: "unstarted",  # PBS's own folders on the node can be written by others
    -22: "unstarted",  # a hook failed
    -23: "unstarted",  # it had no Kerberos ticket
    -24: "error",  # used more processors than requested, for a moment (cpuaverage, cpuburst)
    -25: "error",  # the same, for long
    -26: "out_of_memory",  # virtual memory
    -27: "out_of_memory",  # memory
    -28: "timeout",  # processor time
    -29: "timeout",  # walltime
    -30: "unstarted",  # its nodes could not join the job
    -31: "out_of_memory",  # memory in huge pages
    -32: "node_failure",  # its node was provisioned again
}
TAKEN_OUT = "Subjob finished"  # the comment of an element that is over and never began
DELETED = 91  # the substate of what qdel ended, before or after its start

REFUSALS = (
    Refusal(r"would exceed .*limit|maximum number of jobs", SiteFull, "it is submitted again when others have finished"),
    Refusal(r"unknown queue|queue is not enabled|access .*queue", SubmitRejected, "correct `queue` of [site.NAME]"),
    Refusal(r"unauthorized|not authorized|permission denied|bad uid", SubmitRejected,
            "correct `queue` or `account` of [site.NAME], or ask the administrators"),
    Refusal(r"(?:invalid|unknown) (?:account|project)|(?:account|project)\b.* (?:not|invalid|unknown)", SubmitRejected,
            "correct `account` of [site.NAME]"),
    Refusal(r"array job exceeds", SubmitRejected, "lower `array_size` of [site.NAME]"),
    Refusal(r"illegal -J value", SubmitRejected,
            "remove `max_parallel` from [site.NAME]: PBS before 20 does not know it"),
    Refusal(r"violates queue|exceeds queue", SubmitRejected,
            "lower `max_walltime` or `max_memory` of [site.NAME], or take another `queue`"),
    Refusal(r"unknown resource|illegal attribute|illegal -\w value|invalid option", SubmitRejected,
            "correct `constraint` or `lines` of [site.NAME]"),
)  # fmt: skip

SUBMITTED = r"\d+(?:\[\])?\.[\w.-]*[A-Za-z][\w.-]*"
ANSWER = re.compile(r'\{\s*"timestamp"')
VARIABLES = re.compile(r'^([ \t]*"Variable_List":\s*)\{.*?^[ \t]*\}(,?)[ \t]*$', re.MULTILINE | re.DOTALL)
TIME = "%a %b %d %H:%M:%S %Y"

# qselect takes one name; its own line closes the answer, so that an empty one proves something.
FIND = (
    'for token do echo "token $token"; qselect -x -N "$token" 2>/dev/null || qselect -N "$token" || exit; done;'
    " echo asked all"
)


def directives(request: Request, site: Site) -> list[str]:
    """Return the lines at the head of the job script; `constraint` is part of the chunk, as in `cpu_type=rome`."""
    chunk = f"select={request.nodes}:ncpus={request.cores}"
    if request.nodes > 1 or request.tasks_per_node > 1:
        chunk += f":mpiprocs={request.tasks_per_node}"
    if request.gpus:
        chunk += f":ngpus={request.gpus}"
    if request.memory_bytes:
        chunk += f":mem={mebibytes(request.memory_bytes)}mb"
    placed = ["scatter"] * (request.nodes > 1) + ["excl"] * request.exclusive
    wanted = [
        "-j oe",
        "-o /dev/null",
        f"-l {chunk}:{site.constraint}" if site.constraint else f"-l {chunk}",
        f"-l place={':'.join(placed)}" if placed else "",
        f"-l walltime={hours(request.walltime_s)}" if request.walltime_s else "",
        f"-q {queue}" if (queue := request.queue_at(site)) else "",
        f"-A {site.account}" if site.account else "",
        "-p -1024" if request.behind else "",
    ]
    return raw_lines("#PBS", [*wanted, *site.lines])


def submit(script: str, request: Request, site: Site) -> list[str]:
    """Return the command that submits a script; what makes the job's identity stands here, where it wins over raw lines."""
    once = ["-r", "n"] if request.elements == 1 else ["-r", "y", "-J", array_range(request)]
    return ["qsub", "-N", request.token, *once, script]


def parse_submit(reply: Reply) -> str:
    """Return the native id."""
    found = last_match(reply.out, SUBMITTED) if reply.code == 0 else None
    if not found:
        raise refusal(reply, REFUSALS)
    return strip_index(found[0])


def queue(jobs: Sequence[Known]) -> list[str]:
    """Return the one command that shows these jobs, the finished ones too."""
    return ["env", "TZ=UTC0", "qstat", "-x", "-t", "-f", "-F", "json", *ids_of(jobs)]


def parse_queue(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what PBS says about these jobs; an array stands for its elements only when none of them is listed."""
    rows = _table(_answer(answer(reply, (0, 35, 153))), "Jobs")
    known = by_id(jobs)
    seen = [
        _sighting(job, name, cast("dict[str, Any]", row))
        for name, row in rows.items()
        if isinstance(row, dict) and (job := find_known(name, known))
    ]
    told = {one.native for one in seen if one.element is not None}
    return [one for one in seen if one.element is not None or one.native not in told]


def _sighting(job: Known, name: str, row: Mapping[str, Any]) -> Sighting:
    word, comment = str(row.get("job_state", "")), str(row.get("comment", ""))
    phase, node = _phase(word, row), str(row.get("exec_host", "")).partition("/")[0]
    status = signed(row.get("Exit_status")) if phase is Phase.ENDED else None
    outcome = _outcome(status, row) if phase is Phase.ENDED else None
    by = re.search(r"terminated by ([^\s@]+)", comment) if outcome == "cancelled" else None
    return Sighting(
        native=job.native or "",
        element=element_of(name),
        phase=phase,
        word=word,
        reason=comment,
        outcome=outcome,
        node=node,
        starts=_start(row) if phase is Phase.PENDING else None,
        exit_code=status if node and status in range(256) else None,
        signal=status - 256 if status and status > 256 else None,
        by=by[1] if by else "",
        token=token_of(job, str(row.get("Job_Name", ""))),
    )


def _phase(word: str, row: Mapping[str, Any]) -> Phase:
    phase = SUBSTATES.get(signed(row.get("substate")) or 0) or STATES.get(word, Phase.UNKNOWN)
    held = row.get("Hold_Types", "n") != "n" or str(row.get("comment", "")).startswith("Can Never Run")
    return Phase.HELD if word == "Q" and held else phase


def _outcome(status: int | None, row: Mapping[str, Any]) -> Outcome | None:
    if status in EXITS:
        return EXITS[status]
    if signed(row.get("substate")) == DELETED or _was_taken_out(status, row):
        return "cancelled"
    return "unstarted" if status is None else None


def _was_taken_out(status: int | None, row: Mapping[str, Any]) -> bool:
    """Whether an element never had a node, in an array that itself lives (`X`) or of which others ran (its status)."""
    taken = str(row.get("comment", "")) == TAKEN_OUT and "exec_host" not in row and "run_count" not in row
    return taken and (status is not None or row.get("job_state") == "X")


def _start(row: Mapping[str, Any]) -> datetime | None:
    return moment(_table(row, "estimated").get("start_time") or row.get("Execution_Time"))


def moment(text: object) -> datetime | None:
    """Return a time as PBS prints it, or None."""
    with suppress(ValueError):
        return datetime.strptime(str(text), TIME).replace(tzinfo=UTC)
    return None


def history(jobs: Sequence[Known]) -> None:
    """Return None: the queue shows finished jobs too."""


def parse_history(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return nothing, as nothing was asked."""
    return []


def find(tokens: Sequence[str]) -> list[str]:
    """Return the command that looks for jobs by name, the finished ones too where PBS remembers them."""
    return ["sh", "-c", FIND, "sh", *tokens]


def parse_find(reply: Reply, tokens: Sequence[str]) -> dict[str, str]:
    """Return token → native id; of two with one name the later one."""
    lines = [line.strip() for line in answer(reply).splitlines()]
    if "asked all" not in lines:
        raise QueryFailed("PBS's answer about jobs by name was cut short: it is asked again")
    found: dict[str, str] = {}
    token = ""
    for line in lines[: lines.index("asked all")]:
        if line.startswith("token "):
            token = line.removeprefix("token ")
        elif token in tokens and re.fullmatch(SUBMITTED, line):
            found[token] = strip_index(line)
    return found


def cancel(job: Known, elements: Sequence[int] | None) -> list[str]:
    """Return the command that cancels a job or some of its elements, ranges of them by one id each."""
    native = job.native or ""
    if job.elements == 1:
        return ["qdel", native]
    if elements is None:
        return ["qdel", array_id(native)]
    return ["qdel", *(array_id(native, part) for part in write_ranges(elements).split(","))]


def limits() -> list[str]:
    """Return the command that describes the server."""
    return ["qstat", "-B", "-f", "-F", "json"]


def parse_limits(reply: Reply) -> Limits:
    """Return version, the largest array and whether finished jobs are remembered."""
    told = _answer(answer(reply))
    servers = _table(told, "Server")
    server = _table(servers, next(iter(servers), ""))
    if "server_state" not in server:
        raise QueryFailed("PBS did not describe its server: it is asked again")
    remembers = str(server.get("job_history_enable", "False")) == "True"
    forgets = "finished jobs are forgotten and `qstat -x` is refused: ask for job_history_enable = True"
    return Limits(
        version=str(told["pbs_version"]),
        array_size=signed(server.get("max_array_size")),
        accounting=remembers,
        notes=(NO_EXCLUSION,) if remembers else (NO_EXCLUSION, forgets),
    )


def _answer(text: str) -> dict[str, Any]:
    """Return the JSON document in what was printed, if need be without the jobs' variables."""
    found = _document(text) or _document(VARIABLES.sub(r"\1{}\2", text))
    if not found:
        raise QueryFailed("PBS's answer is cut short or not JSON: it is asked again")
    return found


def _document(text: str) -> dict[str, Any] | None:
    decoder = json.JSONDecoder(strict=False)
    for start in ANSWER.finditer(text):
        with suppress(ValueError, RecursionError):
            found = cast("dict[str, Any]", decoder.raw_decode(text, start.start())[0])
            if found.get("pbs_server") and found.get("pbs_version"):
                return found
    return None


def _table(whole: Mapping[str, Any], key: str) -> dict[str, Any]:
    inner = whole.get(key)
    return cast("dict[str, Any]", inner) if isinstance(inner, dict) else {}
