"""A campaign's definition: frozen objects, the same whether TOML or Python built them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from penstock.channels import Channel
from penstock.display import InNotebooks
from penstock.outputs import Destination, Provenance, Publication
from penstock.units import FAN, Expression, Pattern, Template, Value, fan

Members = Literal["all", "done"]
Late = Literal["redo", "ask", "ignore"]
Order = Literal["oldest", "newest"] | Expression
Policy = Late

DIGESTS = "2:"  # how digests of stages and of inputs begin that are made in the present way


@dataclass(frozen=True, slots=True)
class Resources:
    """What one worker needs for one unit.

    A program that starts `tasks_per_node` processes on each of `nodes` (MPI) has `cpus` for each of them; all other
    amounts are those of one node.
    """

    cpus: int = 1
    memory_bytes: int | None = None
    walltime_s: float | None = None
    gpus: int = 0
    gpu_type: str | None = None
    nodes: int = 1
    tasks_per_node: int = 1
    exclusive: bool = False  # nobody else's work on its nodes
    scratch_disk_bytes: int | None = None

    @property
    def is_parallel(self) -> bool:
        """Whether it is a program of several processes, which gets a job of its own."""
        return self.nodes > 1 or self.tasks_per_node > 1

    @classmethod
    def together(cls, asked: Sequence[Resources]) -> Resources:
        """Return what a chain needs that one worker runs: the most of everything, and the time of all."""
        times = [r.walltime_s for r in asked]
        return cls(
            cpus=max(r.cpus for r in asked),
            memory_bytes=max((r.memory_bytes for r in asked if r.memory_bytes), default=None),
            walltime_s=sum(t for t in times if t) if all(times) else None,
            gpus=max(r.gpus for r in asked),
            gpu_type=next((r.gpu_type for r in asked if r.gpu_type), None),
            nodes=max(r.nodes for r in asked),
            tasks_per_node=max(r.tasks_per_node for r in asked),
            exclusive=any(r.exclusive for r in asked),
            scratch_disk_bytes=max(
                (r.scratch_disk_bytes for r in asked if r.scratch_disk_bytes), default=None
            ),
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """How often one class of failure is tried again: `times`, after `delays_s` (the last repeats), with `scale` × resources."""

    times: int
    delays_s: tuple[float, ...] = (0.0,)
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Rule:
    """What is to be done with units for which all of its conditions hold: their fields, how an attempt failed, its log."""

    verdict: Literal["permanent", "transient", "veto", "mark"]
    exit: int | None = None
    log: str | None = None
    why: str = ""
    where: Expression | None = None
    name: str = ""  # its place among those of its stage, from 1, if it was given none

    @property
    def by(self) -> str:
        """Who decides by it, in the record."""
        return f"rule {self.name}"

    @property
    def needs_end(self) -> bool:
        """Whether only the end of an attempt tells if it holds."""
        return self.exit is not None or self.log is not None

    @property
    def decides_before(self) -> bool:
        """Whether it keeps tasks from being run, by fields alone."""
        return not self.needs_end and self.verdict in ("veto", "mark")

    def fits(self, values: Mapping[str, Any]) -> bool:
        """Whether it is about a unit with these fields."""
        return self.where is None or self.where.holds(values)


@dataclass(frozen=True, slots=True)
class Product:
    """A file (or folder, when `folder`) that a task must produce, relative to the campaign."""

    name: str
    path: Pattern
    optional: bool = False
    taken_from: str | None = None
    folder: bool = False
    fetch: bool = True  # it comes home from a far site by itself

    def path_for(self, key: Sequence[Value], values: Mapping[str, Any]) -> str:
        """Return the path for the task of a key."""
        return self.path.format({**values, FAN: fan(key)} if FAN in self.path.names else values)


@dataclass(frozen=True, slots=True)
class After:
    """An upstream: a stage, its key when fields name it (RULE 4), and which of its products are inputs; none: all."""

    stage: str
    key: tuple[Template, ...] = ()
    optional: bool = False
    products: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Program:
    """An executable that is built, at each site anew, from files of the campaign. Paths are as seen from its folder."""

    name: str
    build: str  # shell text
    executable: str  # what that makes
    sources: tuple[str, ...]  # files, folders and patterns
    files: Mapping[str, str] = field(default_factory=dict[str, str])  # what these are: file → SHA-256


@dataclass(frozen=True, slots=True)
class Closing:
    """What a stage is of a closing: a step of the end of a group, and when the first one may begin."""

    step: str
    about: str = ""  # what the step names
    is_first: bool = False
    not_before: str | None = None  # "08:00 next day", of the group's own day
    time_zone: str = "UTC"
    members: tuple[str, ...] = ()  # the stages of what is closed, but for those that the closing runs itself


@dataclass(frozen=True, slots=True)
class Stage:
    """What is done at a level."""

    name: str
    level: int  # 0 is the campaign, 1 the coarsest named level
    command: tuple[Template, ...] = ()
    shell: bool = False
    python: str | None = None
    setup: str | None = None
    fields: tuple[str, ...] = ()  # that a function is given; none named: all
    products: tuple[Product, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    after: tuple[After, ...] = ()
    follows: str | None = None  # `with`
    where: Expression | None = None
    expands: int | None = None  # the level of its children
    members: Members = "all"
    empty: Literal["block", "run"] = "block"
    late: Late = "redo"
    changed: Policy = "ask"  # what follows when the input of what is done changes,
    vanished: Policy = "ignore"  # when a member of a group goes,
    returned: Policy = "ask"  # and when an input that had gone is another one now
    deadline: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  # level → by when its groups are to be done
    batch: int | float | None = None  # units, or (float) seconds of work; None: learned
    batch_wait_s: float | None = None
    workers: int = 1
    order: Order = "oldest"  # which of its tasks go first; of an expression those with the least of it
    fair: int = 0  # the level of the groups that take turns; 0: none do
    array: int = 0  # the level of the groups whose tasks go in arrays of their own; 0: that of the campaign
    priority: int = 0  # its tasks go before those of stages with less
    max_running: int | None = None  # of its tasks, queued and running at once
    resources: Resources = Resources()
    retry: Mapping[str, Allowance] = field(default_factory=dict[str, Allowance])
    rules: tuple[Rule, ...] = ()
    ok_codes: tuple[int, ...] = (0,)
    success_log: str | None = None
    scratch: bool = False
    scratch_at: str | None = None  # a folder of the node, with variables; None: in the campaign
    copy_inputs: bool = False  # into scratch
    templates: Mapping[str, str] = field(default_factory=dict[str, str])
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    version: str = ""
    site: str | None = None
    container: str | None = None  # the image of its site
    uses: tuple[str, ...] | None = None  # fields and levels that tasks are made from; None: all
    places: tuple[str, ...] = ()  # those that say where products go
    code: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  # file of the campaign that is run → digest
    programs: tuple[Program, ...] = ()  # those that its command names
    needs: tuple[str, ...] = ()  # files, folders and patterns that it reads without naming them
    requires_python: str = ""  # which Python its function needs where it runs: ">=3.9", "==3.11"
    closing: Closing | None = None  # it is a step of a closing, which no [stage.NAME] says
    digest: str = ""

    @property
    def rules_at_end(self) -> tuple[Rule, ...]:
        """The rules that say what a failed attempt means."""
        return tuple(rule for rule in self.rules if not rule.decides_before)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Units found as files by a pattern."""

    level: int
    pattern: Pattern
    settle_s: float = 10.0
    many: tuple[str, ...] = ()
    companions: tuple[Template, ...] = ()
    partial: Pattern | None = None  # of the siblings that are there while a file of the unit is still written
    exclude: tuple[str, ...] = ()
    types: Mapping[str, str] = field(default_factory=dict[str, str])  # of derived fields
    derive: Mapping[str, Expression] = field(default_factory=dict[str, Expression])


@dataclass(frozen=True, slots=True)
class TableSource:
    """Units (or fields of units) from the rows of a CSV file."""

    level: int
    path: Path
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    derive: Mapping[str, Expression] = field(default_factory=dict[str, Expression])


@dataclass(frozen=True, slots=True)
class FunctionSource:
    """Units from a Python generator, `module:function`."""

    level: int
    function: str
    types: Mapping[str, str] = field(default_factory=dict[str, str])
    derive: Mapping[str, Expression] = field(default_factory=dict[str, Expression])


Source = FileSource | TableSource | FunctionSource


@dataclass(frozen=True, slots=True)
class Partition:
    """A queue of a cluster, for jobs up to a size; None: no limit. `gpus` are those of one node."""

    name: str
    max_walltime_s: float | None = None
    max_memory_bytes: int | None = None
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Site:
    """Where jobs run. Limits are None where only the scheduler's own hold."""

    name: str
    scheduler: str = "local"
    host: str | None = None
    transport: str = "local"  # how its commands and files are reached
    workdir: Path | None = None
    cores: int | None = None  # local: how many at once; None: all that may be used
    memory_bytes: int | None = None  # local: the same
    gpus: int | None = None  # local: the same
    python: str | None = None
    requirements: tuple[str, ...] = ()  # packages, or files that list them
    setup: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    container: str | None = None
    commands: Path | None = None  # the folder of the scheduler's own commands; None: PATH
    queue: str | None = None
    account: str | None = None
    partitions: tuple[Partition, ...] = ()  # the first that is large enough, where no queue is named
    qos: str | None = None
    reservation: str | None = None
    licences: tuple[str, ...] = ()
    comment: str | None = None
    name_prefix: str = ""  # of jobs' names
    memory_per_cpu: bool = False  # ask for memory by core
    constraint: str | None = None
    lines: tuple[str, ...] = ()  # raw, at the head of the job script
    max_jobs: int | None = None
    max_queued_tasks: int | None = None
    array_size: int | None = None
    max_parallel: int | None = None
    max_walltime_s: float | None = None
    max_memory_bytes: int | None = None
    visibility_s: float = 60.0  # how long files may take to be seen here
    shared_files: bool = True  # it sees the campaign's folder; else inputs and products travel
    paths: Mapping[str, str] = field(default_factory=dict[str, str])  # folder here → the same one there
    disk_bytes: int | None = None  # that inputs and products may take there
    group: str | None = None
    fetch: Literal["all", "final", "none"] = "all"

    @property
    def is_here(self) -> bool:
        """Whether it is this machine itself, which needs no scheduler and no way to it."""
        return self.scheduler == "local" and self.transport == "local"


@dataclass(frozen=True, slots=True)
class Campaign(InNotebooks):
    """One body of work. `levels` are coarse to fine; `stages` are in an order in which each follows its upstreams."""

    name: str
    root: Path
    levels: tuple[str, ...]
    sources: tuple[Source, ...]
    stages: tuple[Stage, ...]
    sites: Mapping[str, Site]
    derive: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    formats: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  # level → format spec of its value when printed ("05d")
    types: Mapping[str, str] = field(
        default_factory=dict[str, str]
    )  # field → "int" | "float" | "datetime" | "str" | "bool"
    complete: Mapping[str, str] = field(default_factory=dict[str, str])  # level → condition (RULE 1)
    site: str = "local"  # of the stages that name none
    notify: Mapping[str, Channel] = field(default_factory=dict[str, Channel])
    publish: Mapping[str, Publication] = field(default_factory=dict[str, Publication])
    move: Mapping[str, Destination] = field(default_factory=dict[str, Destination])
    provenance: Provenance = field(default_factory=Provenance)
    heartbeat: str | None = None  # a file or URL that shows that turns are taken
    overrides: tuple[str, ...] = ()
    file: Path | None = None
    looked: tuple[str, ...] = field(default=(), compare=False)  # files that stages may run, there or not
    origin: str = field(default="", compare=False)  # digest of all that it was read from

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Return what notebooks show."""
        from html import escape

        stages = ", ".join(stage.name for stage in self.stages)
        line = f"the campaign {self.name!r} in {self.root}, frozen, with the stages {stages}"
        return {"text/plain": line, "text/html": escape(line)}

    def stage(self, name: str) -> Stage:
        """Return the stage called `name`; KeyError if there is none."""
        return next(s for s in self.stages if s.name == name)

    def site_of(self, stage: Stage) -> Site:
        """Return where the tasks of a stage run; a follower runs where what it follows does."""
        if stage.follows:
            return self.site_of(self.stage(stage.follows))
        return self.sites[stage.site or self.site]

    def chain(self, stage: Stage) -> list[Stage]:
        """Return a stage and its followers, in the order in which one worker runs them."""
        chain = [stage]
        for link in chain:
            chain += [follower for follower in self.stages if follower.follows == link.name]
        return chain

    def at_once(self, stage: Stage) -> int | None:
        """Return how many tasks of a stage may be queued and running at once, with those that follow them; None: any."""
        most = (link.max_running for link in self.chain(stage))
        return min((each for each in most if each is not None), default=None)
