"""Questions to a scheduler and its answers: the vocabulary of every adapter.

An adapter is a module of pure functions (`Scheduler`): it turns a request into text and text into facts. It starts no
process, opens no file and asks no clock, so the dry run shows the real script and a test needs no cluster.

Three things are never confused: what a scheduler says about a job (`Sighting`), that it does not list a job (an answer
without it), and that there was no answer (`QueryFailed`, which changes nothing).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from penstock.campaign import Site
from penstock.decide import Outcome
from penstock.transports.reply import Reply


class Phase(Enum):
    """Where an element stands, whatever the scheduler's own word for it."""

    PENDING = "pending"
    """In the queue, for a reason that may pass by itself."""
    HELD = "held"
    """In the queue until a person does something: held, in error, or with a dependency that cannot be met."""
    RUNNING = "running"
    """It has a node; this also covers starting, suspended and completing ones."""
    ENDED = "ended"
    """It will never run again under this id."""
    UNKNOWN = "unknown"
    """The scheduler used an unknown word: never a failure, never an end."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One element of one job, as the scheduler sees it now."""

    native: str
    """The job's id without any array part, as `runner.identity.strip_index` leaves it."""
    element: int | None
    """1, 2 …; None for a job that is no array, or when all its elements are meant."""
    phase: Phase
    word: str
    """The scheduler's own word for the state."""
    reason: str = ""
    """Why it waits or why it ended, in the scheduler's words."""
    outcome: Outcome | None = None
    """Of an ENDED one, the class of failure; None when it merely ended, well or with an exit code."""
    node: str = ""
    starts: datetime | None = None
    """When the scheduler expects to start it (aware, UTC)."""
    exit_code: int | None = None
    signal: int | None = None
    by: str = ""
    """Who cancelled it, if it says so."""
    token: str = ""
    """The job's name, if the answer has it whole."""


@dataclass(frozen=True, slots=True)
class Known:
    """A job that is asked about."""

    token: str
    native: str | None
    elements: int


@dataclass(frozen=True, slots=True)
class Request:
    """What one job asks for. Amounts are those of one element, and where it has several nodes, of each of them."""

    token: str
    elements: int
    cpus: int = 1
    """Cores of each process: there are `tasks_per_node` on every node, which a program of MPI starts itself."""
    memory_bytes: int | None = None
    walltime_s: float | None = None
    max_parallel: int | None = None
    excluded: tuple[str, ...] = ()
    """Nodes that it must not get."""
    gpus: int = 0
    gpu_type: str | None = None
    nodes: int = 1
    tasks_per_node: int = 1
    exclusive: bool = False
    scratch_disk_bytes: int | None = None
    behind: bool = False
    """It is backfill: the user's other jobs go before it, where the scheduler knows such an order."""
    queue: str | None = None
    """The queue or partition that was chosen for its size; None: the site's own."""

    @property
    def cores(self) -> int:
        """Cores on each node."""
        return self.cpus * self.tasks_per_node

    def queue_at(self, site: Site) -> str | None:
        """Return its queue; None: the scheduler's default."""
        return self.queue or site.queue


@dataclass(frozen=True, slots=True)
class Limits:
    """What a scheduler allows, as far as it says; None: unknown."""

    version: str = ""
    array_size: int | None = None
    """The largest index of an array, and so the most elements when they are counted from 1."""
    accounting: bool | None = None
    """Whether it remembers finished jobs and reports them."""
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    """What is wrong there for jobs, each with its remedy."""


class Scheduler(Protocol):
    """A module that speaks one scheduler's language.

    Each pair of functions is a question, as argv, and the reading of its reply. A reading raises QueryFailed for
    whatever is no valid answer: a wrong exit code, a cut line, an answer that does not prove that the scheduler itself
    spoke (an empty text proves nothing). What people's profiles print around an answer is passed over.
    """

    NAME: str
    """The word for `scheduler =` in a site."""
    COMMANDS: tuple[str, ...]
    """What must be on the PATH there."""

    def directives(self, request: Request, site: Site) -> list[str]:
        """Return the lines at the head of the job script; raw `site.lines` come last and so win."""
        ...

    def submit(self, script: str, request: Request, site: Site) -> list[str]:
        """Return the command that submits a script, from the campaign's folder, with its own requeueing off where it can be."""
        ...

    def parse_submit(self, reply: Reply) -> str:
        """Return the native id without array part.

        Raises SubmitRejected for a lasting refusal, SiteFull for one that passes when other jobs have finished,
        QueryFailed when it is unknown whether the job was accepted.
        """
        ...

    def queue(self, jobs: Sequence[Known]) -> list[str]:
        """Return one command that shows the states of these jobs, however many they are."""
        ...

    def parse_queue(self, reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
        """Return what the queue says about these jobs; elements that it does not list are left out."""
        ...

    def history(self, jobs: Sequence[Known]) -> list[str] | None:
        """Return one command that shows how jobs ended that have left the queue; None: this scheduler has none."""
        ...

    def parse_history(self, reply: Reply, jobs: Sequence[Known]) -> list[Sighting]:
        """Return what the accounting says about these jobs; what it does not list it does not know (yet)."""
        ...

    def find(self, tokens: Sequence[str]) -> list[str]:
        """Return one command that finds jobs by name, also those that ended a while ago if that can be asked."""
        ...

    def parse_find(self, reply: Reply, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return token → native id of the jobs that are known by these names."""
        ...

    def cancel(self, job: Known, elements: Sequence[int] | None) -> list[str]:
        """Return the command that cancels some elements (None: all) of a job with a native id."""
        ...

    def limits(self) -> list[str]:
        """Return one command that shows version and limits."""
        ...

    def parse_limits(self, reply: Reply) -> Limits:
        """Return its answer; raises QueryFailed."""
        ...
