"""A far machine without a scheduler, such as a workstation: our own spool there is one (`runner/spool`).

- Each command is a Python that gets the program with the question, so nothing needs to be there but a Python 3.6 and
  Linux. What the program prints is one line of JSON behind a mark.
- A job is known by its name, the token, and is added once, however often it is submitted.
- What starts elements there may be killed: a question starts it again. An element is never said to have ended before
  that is written down there, and nothing of it lives.
- Ended jobs are told for a week, so there is no history besides the queue.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from penstock.campaign import Site
from penstock.decide import Outcome
from penstock.display import count, show_bytes
from penstock.errors import QueryFailed, SubmitRejected
from penstock.runner.build import build_spool, read_spool_boot
from penstock.schedulers.model import Known, Limits, Phase, Request, Sighting
from penstock.schedulers.text import answer, last_match, refusal
from penstock.transports.reply import Reply

NAME: str = "local"
COMMANDS: tuple[str, ...] = ("python3",)
#: keys of a site, and of resources, that mean nothing to a single machine without a scheduler
UNSUPPORTED = (
    "queue", "partitions", "account", "qos", "reservation", "licences", "comment", "memory_per_cpu", "constraint",
    "lines", "nodes", "gpus", "gpu_type", "scratch_disk_bytes",
)  # fmt: skip

#: word → where the element stands, and the class of its failure
STATES: dict[str, tuple[Phase, Outcome | None]] = {
    "waiting": (Phase.PENDING, None),  # for room, or for an earlier one
    "running": (Phase.RUNNING, None),  # it has started, and no end is written down
    "exited": (Phase.ENDED, None),  # with an exit code
    "killed": (Phase.ENDED, None),  # by a signal: of a person, or because memory ran out
    "vanished": (Phase.ENDED, None),  # it ended while nobody watched: nothing of it lives
    "cancelled": (Phase.ENDED, "cancelled"),  # as was asked for
    "timeout": (Phase.ENDED, "timeout"),  # it reached its walltime
    "restarted": (Phase.ENDED, "node_failure"),  # the machine was restarted meanwhile
}

SILENT_S = 20.0  # without news, after which a runner is asked after: nobody else waits for these answers
GRACE_S = 30.0  # from asking an element to end until it is killed
MOST_NAMES = 5_000  # an argument may have 128 kB; without names all jobs are told
ALL = 0  # of a limit: all there is


def directives(request: Request, site: Site) -> list[str]:
    """Return no lines: all that a job needs is said when it is submitted."""
    return []


def submit(script: str, request: Request, site: Site) -> list[str]:
    """Return the command that adds a job."""
    return ask(
        "submit", token=request.token, elements=request.elements, script=script, cores=request.cores,
        memory=request.memory_bytes or 0, exclusive=request.exclusive, walltime_s=request.walltime_s,
        grace_s=GRACE_S, parallel=request.max_parallel, most=(site.cores or ALL, site.memory_bytes or ALL),
    )  # fmt: skip


def parse_submit(reply: Reply) -> str:
    """Return the name, which is the id."""
    if reply.code != 0:
        raise refusal(reply, ())
    told = told_by(reply)
    if "refused" in told:
        there = f"{count(told['cores'], 'core')} and {show_bytes(told['memory'])} of memory"
        raise SubmitRejected(
            f"an element needs more than {told['refused']} has for it ({there}): ask for less in `resources`, or for"
            " fewer `workers`"
        )
    if not isinstance(told.get("job"), str):
        raise QueryFailed("it is unknown whether the job was added: it is looked for by its name")
    return told["job"]


def queue(jobs: Sequence[Known]) -> list[str]:
    """Return the command that shows how jobs stand."""
    return find([job.token for job in jobs])


def find(tokens: Sequence[str]) -> list[str]:
    """Return the same: a job is known by its name."""
    return ask("queue", tokens=[*tokens] if len(tokens) <= MOST_NAMES else [])


def parse_queue(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return what is said about these jobs, element by element."""
    told = told_by(reply)
    known = {job.token for job in jobs}
    try:
        return [
            seen
            for token, job in told["jobs"].items()
            if token in known
            for seen in sightings(token, job, told)
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QueryFailed(f"the answer makes no sense ({error!r}): it is asked again") from error


def sightings(token: str, job: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Sighting]:
    """Return how each element of a job stands."""
    ended = {element: end for element, *end in job["ended"]}
    running, waits = set[int](job["running"]), f"{told['taken']} of {count(told['cores'], 'core')} taken"
    waits = f"{waits}, {told['trouble']}" if told["trouble"] else waits
    for element in range(1, job["elements"] + 1):
        word, code, signal = ended.get(element) or (
            "running" if element in running else "waiting",
            None,
            None,
        )
        phase, outcome = STATES.get(word, (Phase.UNKNOWN, None))
        yield Sighting(
            native=token,
            element=element if job["elements"] > 1 else None,
            phase=phase,
            word=word,
            reason=waits if word == "waiting" else reason_of(code, signal),
            outcome=outcome,
            node="" if word == "waiting" else told["host"],
            exit_code=code,
            signal=signal,
            token=token,
        )


def reason_of(code: int | None, signal: int | None) -> str:
    """Say how a process ended."""
    if code is not None:
        return f"exit code {code}"
    return "" if signal is None else f"signal {signal}"


def history(jobs: Sequence[Known]) -> None:
    """Return None: the queue tells of ends, too."""


def parse_history(reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
    """Return nothing, as nothing was asked."""
    return []


def parse_find(reply: Reply, tokens: Sequence[str]) -> Mapping[str, str]:
    """Return token → native id of those that are there."""
    there = told_by(reply).get("jobs")
    if not isinstance(there, dict):
        raise QueryFailed("the answer lists no jobs: it is asked again")
    return {token: token for token in tokens if token in there}


def cancel(job: Known, elements: Sequence[int] | None) -> list[str]:
    """Return the command that ends some elements, or all."""
    return ask("cancel", token=job.native or job.token, elements=elements and [*elements])


def limits() -> list[str]:
    """Return the command that tells what the machine is."""
    return ask("limits")


def parse_limits(reply: Reply) -> Limits:
    """Return how much there is, and whether a logout would end all."""
    told = told_by(reply)
    try:
        about = f"on {told['host']}, {count(told['cores'], 'core')}, {show_bytes(told['memory'])} of memory"
    except (KeyError, TypeError) as error:
        raise QueryFailed("the answer does not say what the machine is: it is asked again") from error
    return Limits(about, accounting=None, faults=(ENDS_ALL,) if told.get("ends_all") else ())


ENDS_ALL = (
    "it ends all processes of a user who logs out (KillUserProcesses): ask its administrators for `loginctl"
    " enable-linger` and KillExcludeUsers"
)


def ask(question: str, **asked: Any) -> list[str]:
    """Return the command that asks the spool there."""
    digest, packed = program()
    return ["python3", "-I", "-S", "-c", BOOT, digest, packed, question, json.dumps(asked)]


BOOT = f"""{read_spool_boot()}
boot(*sys.argv[1:3])
from penstock_spool.spool.questions import main
main(sys.argv[3:])
"""


@cache
def program() -> tuple[str, str]:
    """Return the digest of the program that answers, and the program as a word of a command."""
    data = build_spool()
    return hashlib.sha256(data).hexdigest(), base64.b64encode(zlib.compress(data, 9)).decode("ascii")


def told_by(reply: Reply) -> dict[str, Any]:
    """Return what an answer tells; raises QueryFailed without one."""
    found = last_match(answer(reply), r"penstock-local (\{.*\})")
    try:
        told: Any = json.loads(found[1]) if found else None
    except ValueError:
        told = None
    if not isinstance(told, dict):
        raise QueryFailed(f"the machine gave no answer ({reply.words})")
    return told  # type: ignore[reportUnknownVariableType]
