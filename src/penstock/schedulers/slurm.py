"""Slurm 20.11 and later, with or without accounting: recorded on 22.05.8, read in the sources of 22.05 to 26.11.

Why it is asked as it is:

- `squeue --name`: asking for one id that is forgotten ends with 1. `--states=all` shows jobs for MinJobAge (300 s)
  after their end, so that they are seen to end without accounting too; `--all`, those in hidden partitions. Never
  `--json`: without slurmctld it answers no jobs and exit code 0. The header is the proof that slurmctld spoke: squeue
  prints it when it has its answer, even if there are no jobs. SLURM_BITSTR_LEN=0, or the list of pending elements is
  cut at 64 characters; SLURM_TIME_FORMAT=%s, or times are local.
- `sacct` by id: the name reads "allocation" at first. Just after sbatch it answers nothing with exit code 0; an element
  cancelled while pending never gets a row; `-S`, since the default with ids is 1970. It takes 128 off exit codes (9:0
  is exit code 137, or 9).
- `sbatch --export=ALL`, from the site's own clean environment: NONE makes slurmd build the environment in a login shell
  of the user, and so does a list of names (NIL, which does not, came with 23.02).
- Name, array and no requeueing are on the command line, where raw lines cannot change them.
- The warning goes to the script alone (`B:`), which must have become the runner by `exec`. It may come 60 s early, and
  limits have a grain of a minute: jobs of less than 5 minutes get none.
- What can never run may be taken, and pends (recordings 15, 21, 22): see HELD.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from penstock.campaign import Site
from penstock.decide import Outcome
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.schedulers.text import (
    Refusal,
    answer,
    expand_ranges,
    last_match,
    mebibytes,
    minutes,
    number,
    raw_lines,
    refusal,
    write_ranges,
)
from penstock.transports.reply import Reply

NAME: str = "slurm"
COMMANDS: tuple[str, ...] = ("sbatch", "squeue", "scancel", "scontrol")
#: options that a site's `lines` may not have: squeue and sacct would not find the job where they put it
RESERVED = r"-M\w*|--clusters"

#: word → where the element stands, and the class of its failure
STATES: dict[str, tuple[Phase, Outcome | None]] = {
    "PENDING": (Phase.PENDING, None),  # HELD for some reasons, see below
    "REQUEUED": (Phase.PENDING, None),  # sacct: the life before ended, the next has no row yet
    "REQUEUE_FED": (Phase.PENDING, None),  # the same in a federation
    "REQUEUE_HOLD": (Phase.HELD, None),  # requeued by `scontrol requeuehold` or after a failed start
    "SPECIAL_EXIT": (Phase.HELD, None),  # requeued and held because of its exit code
    "RESV_DEL_HOLD": (Phase.HELD, None),  # its reservation is gone
    "CONFIGURING": (Phase.RUNNING, None),  # it has nodes that boot
    "EXPEDITING": (Phase.RUNNING, None),  # 25.11: requeued at once, keeping its nodes
    "RUNNING": (Phase.RUNNING, None),  # it has its nodes
    "RESIZING": (Phase.RUNNING, None),  # about to change its size
    "SIGNALING": (Phase.RUNNING, None),  # a signal is being delivered to it
    "STOPPED": (Phase.RUNNING, None),  # SIGSTOP, nodes kept
    "SUSPENDED": (Phase.RUNNING, None),  # by gang scheduling or an administrator, without its cores
    "COMPLETING": (Phase.RUNNING, None),  # some of its processes may still run, or an epilog
    "STAGE_OUT": (Phase.RUNNING, None),  # its burst buffer is written out
    "COMPLETED": (Phase.ENDED, None),  # exit code 0 of the batch script
    "FAILED": (Phase.ENDED, None),  # another exit code, or a signal
    "CANCELLED": (Phase.ENDED, "cancelled"),  # sacct: "CANCELLED by UID"
    "TIMEOUT": (Phase.ENDED, "timeout"),  # it reached its time limit
    "DEADLINE": (Phase.ENDED, "timeout"),  # it reached the time of `--deadline`
    "OUT_OF_MEMORY": (Phase.ENDED, "out_of_memory"),  # even if only a child was killed and the script went on
    "NODE_FAIL": (Phase.ENDED, "node_failure"),  # a node was lost
    "BOOT_FAIL": (Phase.ENDED, "node_failure"),  # a node did not boot
    "PREEMPTED": (Phase.ENDED, "preempted"),  # it gave way to a job of higher priority
}

#: reasons of pending jobs that pass only when a person does something
HELD = re.compile(
    r"JobHeld\w*|JobHoldMaxRequeue|launch[ _]failed[ _]requeued[ _]held|job[ _]requeued[ _]in[ _]held[ _]state"
    r"|DependencyNeverSatisfied|BadConstraints|PartitionConfig|PartitionNodeLimit|PartitionTimeLimit"
    r"|InvalidAccount|InvalidQOS|QOSNotAllowed|AccountNotAllowed|ReservationDeleted|MaxMemPerLimit"
    r"|(?:Assoc|QOS)Max\w+Per(?:Job|Node)(?:Limit)?|QOSMin\w+"
)

ASK = "ask for less in the stage, or name another `queue` or `qos` for the site"
LINES = "correct the site's `lines`"
REFUSALS = (
    Refusal(
        r"unable to contact|timed out|connect failure|communication",
        QueryFailed,
        "its name is looked up in the queue",
    ),
    Refusal(r"SubmitJob|temporarily un", SiteFull, "if waiting never helps, lower `array_size`"),
    Refusal(r"submissions disabled|inactive or drain|in DOWN state", SiteFull, "it is submitted again later"),
    Refusal(r"invalid (account|wckey)", SubmitRejected, "correct the site's `account`"),
    Refusal(r"partition", SubmitRejected, "correct the site's `queue`"),
    Refusal(r"invalid qos|QOS usage threshold", SubmitRejected, "correct the site's `qos`"),
    Refusal(r"invalid (preferred )?feature", SubmitRejected, "correct the site's `constraint`"),
    Refusal(r"invalid job array", SubmitRejected, "lower the site's `array_size` to below MaxArraySize"),
    Refusal(r"memory", SubmitRejected, "lower the stage's `memory` or the site's `max_memory`"),
    Refusal(
        r"time limit is|--time|wall", SubmitRejected, "lower the site's `max_walltime`, or change its `qos`"
    ),
    Refusal(r"option|directive|invalid (--|gres|license)|reservation|dependency", SubmitRejected, LINES),
    Refusal(
        r"invalid node name", SubmitRejected, "correct the site's `lines`, or the names of excluded nodes"
    ),
    Refusal(r"cpu|processors|node (count|configuration)|accounting/QOS policy", SubmitRejected, ASK),
    Refusal(r"permission denied|not permitted|invalid user", SubmitRejected, "ask the site's administrators"),
    Refusal(r"look like a batch script", SubmitRejected, "check that the site's `workdir` is not full"),
)


def directives(request: Request, site: Site) -> list[str]:
    """Return the #SBATCH lines of what the job needs; raw lines come last and win."""
    wishes: dict[str, str | int | None] = {
        "output": "/dev/null", "error": "/dev/null", "nodes": request.nodes, "ntasks": request.nodes * request.tasks_per_node,
        "ntasks-per-node": request.tasks_per_node if request.nodes > 1 else None, "cpus-per-task": request.cpus,
        **memory(request, site),
        "gres": f"gpu:{request.gpu_type + ':' if request.gpu_type else ''}{request.gpus}" if request.gpus else None,
        "tmp": f"{mebibytes(request.scratch_disk_bytes)}M" if request.scratch_disk_bytes else None,
        "time": minutes(request.walltime_s) if request.walltime_s else None,
        "signal": "B:USR1@60" if not request.walltime_s or request.walltime_s >= 300 else None,
        "exclude": ",".join(request.excluded) or None, "nice": NICE if request.behind else None,
        "partition": request.queue_at(site), "account": site.account, "qos": site.qos, "constraint": site.constraint,
        "reservation": site.reservation, "licenses": ",".join(site.licences) or None, "comment": site.comment,
    }  # fmt: skip
    own = [f"#SBATCH --{key}={shlex.quote(str(value))}" for key, value in wishes.items() if value is not None]
    alone = ["#SBATCH --exclusive"] if request.exclusive else []
    return own + alone + raw_lines("#SBATCH", site.lines)


def memory(request: Request, site: Site) -> dict[str, str]:
    """Return the option that asks for memory: of a node, or of a core where the site wants that."""
    if not request.memory_bytes:
        return {}
    if site.memory_per_cpu:
        return {"mem-per-cpu": f"{mebibytes(-(-request.memory_bytes // request.cores))}M"}
    return {"mem": f"{mebibytes(request.memory_bytes)}M"}


def submit(script: str, request: Request, site: Site) -> list[str]:
    """Return the sbatch command; an array only for more than one element."""
    array = f"--array=1-{request.elements}" + (f"%{request.max_parallel}" if request.max_parallel else "")
    head = ["sbatch", "--parsable", "--no-requeue", "--export=ALL", f"--job-name={request.token}"]
    return [*head, *([array] if request.elements > 1 else []), script]


def parse_submit(reply: Reply) -> str:
    """Return the native id: the last line that is a number, or number and cluster."""
    found = last_match(reply.out, r"(\d+)(?:;[\w.-]+)?") if reply.code == 0 else None
    if not found:
        raise refusal(reply, REFUSALS)
    return found[1]


NICE = 10_000  # of backfill: more than age makes up for in a day, as priorities are set by default
MARK, END = "penstock", "end"
FORMAT = f"{MARK}|%i|%j|%T|%S|%N|%r|{END}"  # id, name, state, (expected) start, nodes, reason
SQUEUE = ["env", "SLURM_TIME_FORMAT=%s", "SLURM_BITSTR_LEN=0", "squeue", "--me", "--all", "--states=all"]
FAR = 2**35  # seconds: more is no date
MOST_NAMES = 10_000  # an argument may have 128 kB; without names all our jobs are told
IDS = re.compile(r"([0-9]{1,18})(?:_(?:([0-9]{1,9})|\[(.+)\]))?")


def queue(jobs: Sequence[Known]) -> list[str]:
    """Return one squeue command for these jobs."""
    return find([job.token for job in jobs])


def find(tokens: Sequence[str]) -> list[str]:
    """Return the squeue command that lists jobs with these names, each line with a mark of ours at both ends.

    sacct is not asked: names come late there, and some sites have none.
    """
    names = [f"--name={','.join(tokens)}"] if len(tokens) <= MOST_NAMES else []
    return [*SQUEUE, *names, f"--format={FORMAT}"]


def parse_queue(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what squeue says about these jobs, element by element."""
    natives = {(job.token, job.native) for job in jobs}
    seen = [sighting for row in squeue_rows(answer(reply)) for sighting in sightings(row)]
    return [one for one in seen if natives & {(one.token, one.native), (one.token, None)}]


def squeue_rows(text: str) -> list[list[str]]:
    """Return the rows between our marks; raises QueryFailed without the header, or with a line that was cut."""
    lines = text.split("\n")
    rows = [line.rstrip("\r").split("|") for line in lines if line.startswith(f"{MARK}|")]
    cut = bool(lines[-1]) and f"{MARK}|".startswith(lines[-1])
    if cut or not rows or rows[0][1] != "JOBID" or any(len(row) < 8 or row[-1] != END for row in rows):
        raise QueryFailed("squeue gave an incomplete answer (a line without its header or its end)")
    return [[*row[1:6], "|".join(row[6:-1])] for row in rows[1:]]


def sightings(row: Sequence[str]) -> Iterator[Sighting]:
    """Read one row of squeue; a row of pending elements gives one sighting each."""
    ids, name, word, start, node, reason = row
    phase, outcome = STATES.get(word, (Phase.UNKNOWN, None))
    if phase is Phase.PENDING and all(HELD.fullmatch(part.strip()) for part in reason.split(",")):
        phase = Phase.HELD
    native, elements = read_ids(ids)
    due = number(start) if phase is Phase.PENDING else None
    starts = datetime.fromtimestamp(due, UTC) if due and due < FAR else None
    said = "" if reason == "None" else reason
    for element in elements:
        yield Sighting(native, element, phase, word, said, outcome, node, starts, token=name)


def read_ids(ids: str) -> tuple[str, Sequence[int | None]]:
    """Return native id and elements of `4`, `4_7` or `4_[3-9,12%3]`; raises QueryFailed for anything else."""
    found = IDS.fullmatch(ids)
    try:
        if found and found[3]:
            return found[1], expand_ranges(found[3])
    except ValueError as error:
        raise QueryFailed(f"Slurm named elements in a way that was not expected: {error}") from error
    if not found:
        raise QueryFailed(f"Slurm named a job in a way that was not expected: {ids!r}")
    return found[1], [int(found[2]) if found[2] else None]


FIELDS = ("JobID", "JobName", "State", "ExitCode", "NodeList", "Reason")
SACCT = ["env", "SLURM_BITSTR_LEN=0", "sacct", "-X", "-p", "-S", "now-4weeks", f"--format={','.join(FIELDS)}"]


def history(jobs: Sequence[Known]) -> list[str] | None:
    """Return one sacct command for these jobs, by id; by name if none has an id."""
    natives = [job.native for job in jobs if job.native]
    which = f"--jobs={','.join(natives)}" if natives else f"--name={','.join(job.token for job in jobs)}"
    return [*SACCT, which]


def parse_history(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what sacct says about these jobs, the last row of an element; raises QueryFailed without its header."""
    tokens = {job.native or job.token: job.token for job in jobs}
    last: dict[tuple[str, int | None], Sighting] = {}
    for row in sacct_rows(answer(reply)):
        if token := tokens.get(row[0].partition("_")[0]) or tokens.get(row[1]):
            last |= {(seen.native, seen.element): seen for seen in accounted(row, token)}
    return list(last.values())


def sacct_rows(text: str) -> list[list[str]]:
    """Return the rows behind the header, each of which must end with its `|`; other lines are somebody else's."""
    lines, header = text.splitlines(), "|".join((*FIELDS, ""))
    if header not in lines:
        raise QueryFailed("sacct gave an incomplete answer (its header is missing)")
    below = lines[lines.index(header) + 1 :]
    rows = [line.split("|") for line in below if re.match(r"\d[^\s|]*(\||$)", line)]
    if any(len(row) != len(FIELDS) + 1 for row in rows):
        raise QueryFailed("sacct gave an incomplete answer (a line was cut)")
    return rows


def accounted(row: Sequence[str], token: str) -> Iterator[Sighting]:
    """Read one row of sacct; nothing when its list of elements was cut."""
    ids, _, state, code, node, reason = row[:6]
    word, _, by = state.partition(" by ")
    phase, outcome = STATES.get(word, (Phase.UNKNOWN, None))
    exit_code, signal = read_code(code) if phase is Phase.ENDED and outcome is None else (None, None)
    try:
        native, elements = read_ids(ids)
    except QueryFailed:
        return
    nodes = "" if node == "None assigned" else node
    said = "" if reason == "None" else reason
    for element in elements:
        yield Sighting(native, element, phase, word, said, outcome, nodes, None, exit_code, signal, by, token)


def read_code(text: str) -> tuple[int | None, int | None]:
    """Read `code:signal`; a signal of 0 is none, and a code beside a signal says nothing."""
    code, signal = (number(part) for part in (text + ":").split(":")[:2])
    return (None, signal) if signal else (code, None)


def parse_find(reply: Reply, tokens: Sequence[str]) -> Mapping[str, str]:
    """Return token → native id; of several, one that has not ended, and of these the newest."""
    seen = [sighting for row in squeue_rows(answer(reply)) for sighting in sightings(row)]
    seen.sort(key=lambda one: (one.phase is not Phase.ENDED, int(one.native)))
    return {one.token: one.native for one in seen if one.token in tokens}


def cancel(job: Known, elements: Sequence[int] | None) -> list[str]:
    """Return the scancel command; it is silent and ends with 0 for what is unknown or over."""
    some = f"_[{write_ranges(elements)}]" if elements and job.elements > 1 else ""
    return ["scancel", f"{job.native}{some}"]


def limits() -> list[str]:
    """Return the command that shows version and limits."""
    return ["scontrol", "show", "config"]


def parse_limits(reply: Reply) -> Limits:
    """Return its answer; the largest index is one below MaxArraySize."""
    told = dict(re.findall(r"^(\w+)\s*= *(.*?)\s*$", answer(reply), re.MULTILINE))
    if "SLURM_VERSION" not in told:
        raise QueryFailed("scontrol gave an incomplete answer (without SLURM_VERSION)")
    size, kind = number(told.get("MaxArraySize", "")), told.get("AccountingStorageType")
    return Limits(
        told["SLURM_VERSION"],
        size - 1 if size else None,
        None if kind is None else kind.lower() not in ("accounting_storage/none", "(null)", ""),
        tuple(
            f"{key} = {told[key]}" for key in ("MinJobAge", "MaxJobCount", "EnforcePartLimits") if key in told
        ),
    )
