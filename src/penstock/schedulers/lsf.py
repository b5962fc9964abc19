"""LSF: IBM Spectrum LSF 10.1.0.2 and later by its documentation, its forks by recordings (volclava 2.2) and sources.

Why it is asked as it is:

- `bjobs -a -w` for all our jobs: the one form that IBM and the forks share. Field lists differ (`-o "… delimiter="`,
  `-json` and `-noheader` are refused by volclava with 99 or 255), ids end with 255 when one of them is forgotten, and
  `-J` takes one name. `-w`, or names are cut. The header is the proof that the answer is one; "No job found" with
  another exit code says that there are none. It shows jobs for CLEAN_PERIOD (an hour) after their end.
- Every row of an array has the same id: the index is in JOB_NAME only, `name[3]`.
- Exit codes are not in that table: EXIT is an end of unknown kind. `bhist -l` tells them, and why LSF killed a job.
- A name with a bad or too large range is taken by volclava as ONE plain job of that literal name, with exit code 0:
  elements are 1..n, never more than the site's `array_size`; such a row is told as the job without an element.
- `bsub` reads #BSUB lines only from its standard input, so `sh` redirects it. LSB_NTRIES=1, or it tries for ever to
  submit when too many jobs are pending. IBM's gets `-rn` (no rerun) and sizes with units, because the bare unit is
  whatever LSF_UNIT_FOR_LIMITS says; the forks know neither, and take MB for `rusage[mem=]`, and several for `-M`.
- The environment is the one of the command, which the site keeps clean: no option is needed, and forks have no `-env`.
- At the run limit LSF sends SIGUSR2 and kills ten minutes later: no earlier warning is asked for.
- Backfill asks for no priority: `-sp` is refused unless the administrator has set MAX_USER_PRIORITY.
- Raw lines replace ours of the same option: volclava refuses `-R` twice and takes the first of others.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence

from penstock.campaign import Site
from penstock.decide import Outcome
from penstock.errors import QueryFailed, SiteFull, SubmitRejected
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.schedulers.text import (
    Refusal,
    answer,
    last_match,
    mebibytes,
    minutes,
    number,
    raw_lines,
    refusal,
    write_ranges,
)
from penstock.transports.reply import Reply

NAME: str = "lsf"
COMMANDS: tuple[str, ...] = ("bsub", "bjobs", "bhist", "bkill", "bparams")
#: keys for which not all LSFs have a word; licences are resources with names of the site's own
UNSUPPORTED = ("licences", "memory_per_cpu")
#: options that a site's `lines` may not have: the job would not be found by its name
RESERVED = r"-J"

#: word → where the element stands; why it ended is in the history
STATES: dict[str, Phase] = {
    "PEND": Phase.PENDING,  # also for a dependency that cannot be met: bjobs -w does not show it
    "WAIT": Phase.PENDING,  # in a chunk of jobs that has a host, behind another of them
    "PSUSP": Phase.HELD,  # bsub -H, or bstop while pending
    "PROV": Phase.RUNNING,  # its host is being woken up
    "RUN": Phase.RUNNING,  # dispatched
    "USUSP": Phase.RUNNING,  # stopped by a person
    "SSUSP": Phase.RUNNING,  # stopped by LSF: load, or the queue's hours
    "UNKWN": Phase.RUNNING,  # its host does not answer: it may live
    "ZOMBI": Phase.RUNNING,  # killed while its host did not answer: it may live
    "DONE": Phase.ENDED,  # exit code 0
    "EXIT": Phase.ENDED,  # all other ends
}

#: how an event of the history begins → where the element stands after it; the first that fits counts
EVENTS: dict[str, Phase] = {
    r"Done successfully": Phase.ENDED,  # exit code 0
    r"Exited; job will be requeued": Phase.PENDING,  # the queue's REQUEUE_EXIT_VALUES
    r"Exited": Phase.ENDED,  # with exit code N, by signal N, or neither if it never ran
    r"Submitted|Pending|Requeue": Phase.PENDING,  # in the queue, perhaps again by brequeue
    # dispatched to a host; Unknown: that host does not answer, and the job may still run
    r"(?:\[\d+\] )?(?:[Dd]ispatched|[Ss]tarted)|Starting|Running|Unknown": Phase.RUNNING,
}

#: what the history says when LSF or a person ended a job; the first that is there counts
CAUSES: dict[str, Outcome] = {
    r"TERM_(?:RUNLIMIT|CPULIMIT|DEADLINE)\b.*": "timeout",  # bsub -W, -c, -t
    r"TERM_(?:MEMLIMIT|SWAP)\b.*": "out_of_memory",  # bsub -M, -v
    r"TERM_(?:PREEMPT|LOAD|WINDOW)\b.*": "preempted",  # it gave way, to a job or to the queue's hours
    r"TERM_(?:ZOMBIE|RC)\b.*": "node_failure",  # its host was lost, or taken back by a cloud
    r"TERM_(?:FORCE_)?(?:OWNER|ADMIN)\b.*|TERM_BUCKET_KILL\b.*": "cancelled",  # bkill, bkill -r, bkill -b
    r"Signal <KILL> requested by .*": "cancelled",  # bkill, where no TERM_ is written
    r"(?s:RUNLIMIT.*)(Exited with exit code 140)\b": "timeout",  # 128 + SIGUSR2, where no TERM_ is written
}

DOUBT = r"\bLIM\b|not responding|later|communication|timeout|daemon|connect|internal error"
FULL = r"threshold reached|job limit|enough .*job slots|job id can be used|been closed|windows are closed"
REFUSALS = (
    Refusal(DOUBT, QueryFailed, "its name is looked up in the queue"),
    Refusal(FULL, SiteFull, "if waiting never helps, lower the site's `max_queued_tasks`"),
    Refusal(
        r"limit|time spec",
        SubmitRejected,
        "lower the site's `max_walltime` or `max_memory`, or change its `queue`",
    ),
    Refusal(r"queue", SubmitRejected, "correct the site's `queue`"),
    Refusal(r"project|user group", SubmitRejected, "correct the site's `account`"),
    Refusal(r"service class|\bsla\b", SubmitRejected, "correct the site's `qos`"),
    Refusal(r"array|job name", SubmitRejected, "lower the site's `array_size` to MAX_JOB_ARRAY_SIZE"),
    Refusal(r"processors", SubmitRejected, "lower the stage's `cpus`, or change the site's `queue`"),
    Refusal(r"resource", SubmitRejected, "correct the site's `constraint` or `lines`"),
    Refusal(
        r"\bhost|option|argument|usage|esub|depend|matching job", SubmitRejected, "correct the site's `lines`"
    ),
    Refusal(r"permission|disabled|unknown user", SubmitRejected, "ask the site's administrators"),
)


def directives(request: Request, site: Site) -> list[str]:
    """Return the #BSUB lines of what the job needs; a raw line replaces ours of the same option.

    Raises SubmitRejected for an array that the site would not take as one.
    """
    if request.elements > (site.array_size or request.elements):
        raise SubmitRejected(
            f"{request.elements} elements are more than the site's `array_size`, {site.array_size}"
        )
    size = f"{mebibytes(request.memory_bytes)}MB" if request.memory_bytes else None
    wishes = {
        "-J": f'"{name(request)}"',
        "-o": "/dev/null",
        "-n": request.nodes * slots(request),
        "-R": f'"{requirement(request, site, size)}"',
        "-M": size,
        "-W": minutes(request.walltime_s) if request.walltime_s else None,
        "-q": request.queue_at(site),
        "-P": site.account,
        "-sla": site.qos,
        "-U": site.reservation,
        "-Jd": shlex.quote(site.comment) if site.comment else None,
        "-gpu": f'"{gpus(request)}"' if request.gpus else None,
        "-x": "" if request.exclusive else None,
    }
    raw = raw_lines("#BSUB", site.lines)
    taken = {option for line in raw for option in re.findall(r"(?<!\S)-[A-Za-z]+", line)}
    return [
        f"#BSUB {key} {value}".rstrip()
        for key, value in wishes.items()
        if value is not None and key not in taken
    ] + raw


def slots(request: Request) -> int:
    """Return the slots on each node: of processes where there are several, each with its cores, else of cores."""
    return request.tasks_per_node if request.tasks_per_node > 1 else request.cpus


def gpus(request: Request) -> str:
    """Return the GPU requirement, of each node as for all of LSF 10.1.0.3 on."""
    return f"num={request.gpus}" + (f":gmodel={request.gpu_type}" if request.gpu_type else "")


def name(request: Request) -> str:
    """Return the job's name, which makes it an array when it has more than one element."""
    limit = f"%{request.max_parallel}" if request.max_parallel else ""
    return f"{request.token}[1-{request.elements}]{limit}" if request.elements > 1 else request.token


def requirement(request: Request, site: Site, size: str | None) -> str:
    """Return the resource requirement: which hosts, how much memory, all on one host."""
    wanted = [f"({site.constraint.replace(chr(34), chr(39))})"] if site.constraint else []
    wanted += [f"hname!='{host}'" for host in request.excluded]
    select = f"select[{' && '.join(wanted)}] " if wanted else ""
    disk = f"tmp={mebibytes(request.scratch_disk_bytes)}MB" if request.scratch_disk_bytes else ""
    used = ",".join(filter(None, [f"mem={size}" if size else "", disk]))
    place = f"span[ptile={slots(request)}]" if request.nodes > 1 else "span[hosts=1]"
    bound = f" affinity[core({request.cpus})]" if request.tasks_per_node > 1 and request.cpus > 1 else ""
    return select + (f"rusage[{used}] " if used else "") + place + bound


SUBMIT = r"""LSB_NTRIES=1; export LSB_NTRIES
case $(bsub -V 2>&1) in
*IBM*) exec bsub -rn < "$1" ;;
*) sed -e '/^#BSUB -M [0-9]*MB$/d' -e '/^#BSUB -R/s/\(\(mem\|tmp\)=[0-9]*\)MB/\1/g' "$1" | bsub ;;
esac"""


def submit(script: str, request: Request, site: Site) -> list[str]:
    """Return the command that gives the script to bsub, on its standard input."""
    return ["sh", "-c", SUBMIT, "sh", script]


def parse_submit(reply: Reply) -> str:
    """Return the native id from the sentence that bsub prints."""
    sentence = r"Job <(\d+)> is submitted to (?:default )?queue <[^>]*>\.?"
    found = last_match(reply.out, sentence) if reply.code == 0 else None
    if not found:
        raise refusal(reply, () if "is submitted to" in reply.out else REFUSALS)
    return found[1]


HEADER = re.compile(r"JOBID\s+USER\s+STAT\s+QUEUE\s+FROM_HOST\s+EXEC_HOST\s+JOB_NAME\s+SUBMIT_TIME\s*")
ROW = re.compile(  # id, user, state, queue, from, host, name, time
    r"([0-9]{1,18})\s+\S+\s+(\S+)\s+\S+\s+\S+\s+(\S+)\s+(\S.*?)\s+\S+\s+\d{1,2}\s+\d\d:\d\d(?::\d\d)?(?:\s+\d{4})?\s*"
)
NONE = re.compile(r"\s*(?:No (?:\w+ )?job found|Job (?:array )?<[^>]*> is not found).*")


def queue(jobs: Sequence[Known]) -> list[str]:
    """Return the bjobs command for all jobs of ours."""
    return ["bjobs", "-a", "-w"]


def parse_queue(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what bjobs says about these jobs; an EXIT is left out, so that the history is asked what kind of end it was."""
    natives = {(job.token, job.native) for job in jobs}
    ours = (one for one in listed(reply) if natives & {(one.token, one.native), (one.token, None)})
    return [one for one in ours if one.word != "EXIT"]


def listed(reply: Reply) -> list[Sighting]:
    """Read the whole table; raises QueryFailed if there is none, or one without rows or with a line that was cut."""
    lines = reply.out.splitlines()
    heads = [place for place, line in enumerate(lines) if HEADER.fullmatch(line)]
    none = any(NONE.fullmatch(line) for line in reply.err.splitlines())
    if reply.code is None or not (none or (heads and reply.code == 0)):
        raise QueryFailed(f"bjobs gave no answer ({reply.words})")
    rows = [ROW.fullmatch(line) for line in lines[heads[0] :] if line[:1].isdigit()] if heads else []
    whole = [row for row in rows if row]
    if len(whole) < len(rows) or (heads and not rows):  # the header comes with the first row
        raise QueryFailed("bjobs gave an incomplete answer (a line was cut)")
    return [sighting(row) for row in whole]


def sighting(row: re.Match[str]) -> Sighting:
    """Read one row; a name with anything but one index in brackets is that of a job which became no array."""
    native, word, host, whole = row.groups()
    token, _, index = whole.partition("[")
    element = number(index.removesuffix("]"))
    node = "" if host == "-" else re.sub(r"^\d+\*", "", host.partition(":")[0])
    return Sighting(native, element, STATES.get(word, Phase.UNKNOWN), word, node=node, token=token)


def history(jobs: Sequence[Known]) -> list[str] | None:
    """Return one bhist command for the jobs that have an id, over the last three files of events."""
    return ["bhist", "-l", "-n", "3", *(job.native for job in jobs if job.native)]


def parse_history(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what bhist says about these jobs; raises QueryFailed for a job whose history does not come to its summary."""
    text = re.sub(r"\n {15,}(?=\S)", "", reply.out.replace("\r", ""))  # lines are folded at 80 columns
    blocks = re.split(r"^(?=Job <\d)", text, flags=re.MULTILINE)[1:]
    if reply.code is None or not (blocks or re.search(r"^No matching job found", text, re.MULTILINE)):
        raise QueryFailed(f"bhist gave no answer ({reply.words})")
    if not all(
        re.search(r"^Summary of time .*\n.*TOTAL *\n *\d.*\d *$", block, re.MULTILINE) for block in blocks
    ):
        raise QueryFailed("bhist gave an incomplete answer (a job without its summary)")
    natives = {job.native: job.token for job in jobs}
    return [one for block in blocks for one in told(block, natives)]


def told(block: str, tokens: Mapping[str | None, str]) -> Iterator[Sighting]:
    """Read the history of one job or element: its last event decides."""
    head = re.match(r"Job <(\d+)(?:\[(\d{1,9})\])?>", block)
    event, phase = last_event(block)
    if not head or head[1] not in tokens or not event:
        return
    why, outcome = cause(block) if phase is Phase.ENDED and not event.startswith("Done") else ("", None)
    code = re.match(r"Done|Exited with exit code (\d{1,9})", event) if not outcome else None
    signal = re.match(r"Exited by signal (\d{1,9})", event) if not outcome else None
    hosts = re.findall(r"(?:ispatched to|tarted on) <(?:\d+\*)?([^>:]+)", block)
    killers = re.findall(r"Signal <KILL> requested by .*<([^>]+)>", block)
    yield Sighting(
        head[1],
        number(head[2] or ""),
        phase,
        event.partition(".")[0].strip("; "),
        why,
        outcome,
        hosts[-1] if hosts else "",
        exit_code=number(code[1] or "0") if code else None,
        signal=number(signal[1]) if signal else None,
        by=killers[-1] if killers else "",
        token=tokens[head[1]],
    )


def last_event(block: str) -> tuple[str, Phase]:
    """Return the last event that changes a job's state; an empty text if there is none."""
    events = re.findall(r"^\w{3} \w{3} +\d+ \d\d:\d\d:\d\d(?: \d{4})?: +(.*)", block, re.MULTILINE)
    for event in reversed(events):
        for pattern, phase in EVENTS.items():
            if re.match(pattern, event):
                return event, phase
    return "", Phase.UNKNOWN


def cause(block: str) -> tuple[str, Outcome | None]:
    """Return who or what ended a job, if its history says so: LSF's words, and the class."""
    for pattern, outcome in CAUSES.items():
        if found := re.search(pattern, block):
            return found[found.lastindex or 0].rstrip("; "), outcome
    return "", None


def find(tokens: Sequence[str]) -> list[str]:
    """Return the bjobs command for all jobs of ours."""
    return queue(())


def parse_find(reply: Reply, tokens: Sequence[str]) -> Mapping[str, str]:
    """Return token → native id; of several, one that has not ended, and of these the newest."""
    seen = sorted(listed(reply), key=lambda one: (one.phase is not Phase.ENDED, int(one.native)))
    return {one.token: one.native for one in seen if one.token in tokens}


def cancel(job: Known, elements: Sequence[int] | None) -> list[str]:
    """Return the bkill command; it ends with 255 for what is unknown, over or being killed already."""
    some = f"[{write_ranges(elements)}]" if elements and job.elements > 1 else ""
    return ["bkill", f"{job.native}{some}"]


def limits() -> list[str]:
    """Return the command that shows limits and, after them, the version."""
    return ["sh", "-c", "bparams -l && { bsub -V 2>&1 || :; }"]


def parse_limits(reply: Reply) -> Limits:
    """Return its answer; LSF always keeps a history of jobs."""
    text = answer(reply)
    size = re.search(r"MAX_JOB_ARRAY_SIZE\s*=\s*(\d{1,9})", text)
    period = re.search(r"CLEAN_PERIOD\s*=\s*(.*?)\s*$", text, re.MULTILINE)
    versions = re.findall(r"^.*(?:LSF\b|lava\b)[^,\n]*", text, re.MULTILINE)
    if not period:
        raise QueryFailed("bparams gave an incomplete answer (without CLEAN_PERIOD)")
    return Limits(
        versions[-1].strip() if versions else "",
        int(size[1]) if size else None,
        True,
        (f"CLEAN_PERIOD = {period[1]}",),
    )
