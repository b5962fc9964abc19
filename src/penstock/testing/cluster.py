"""A cluster whose scheduler only pretends: Slurm's commands are answered, and real event files written, by a clock."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path

from penstock.campaign import Site
from penstock.schedulers.model import Request
from penstock.schedulers.text import expand_ranges
from penstock.site import ClusterSite
from penstock.testing.clock import ManualClock
from penstock.testing.elements import Lives, PretendElement, PretendJob
from penstock.testing.eventfile import EventFile
from penstock.testing.fates import Rule, all_well
from penstock.testing.lies import (
    ANSWERING,
    FITTING,
    NO_CONTACT,
    SPOIL,
    WITHOUT_CONTACT,
    ConductorKilled,
    Lie,
)
from penstock.testing.runner import PretendRunner, TaskId
from penstock.testing.site import said_goodbye
from penstock.testing.slurmtext import config_text, history_text, queue_text
from penstock.transports.reply import Reply

HOUR = 3600.0
WARNED_S = 60.0  # before the end of its time, of a job that asks for a warning
LATE_S = 30.0
FILLED = (
    "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: "
    "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"
)
NO_PARTITION = (
    "sbatch: error: invalid partition specified: nosuch\n"
    "sbatch: error: Batch job submission failed: Invalid partition name specified\n"
)
TOO_LARGE = "sbatch: error: Batch job submission failed: Invalid job array specification\n"
NO_DATABASE = (
    "sacct: error: slurm_persist_conn_open_without_init: failed to open persistent connection to host:db:6819:"
    " Connection refused\nsacct: error: Problem talking to the database: Connection refused\n"
)
DISABLED = "Slurm accounting storage is disabled\n"


class PretendCluster:
    """A Slurm cluster without processes: what its commands print is text, its elements are PretendRunners.

    Everything happens as its clock goes on: elements start when a slot is free and `queue_s` is over, write their
    events, run out of time. `tell` makes it lie, methods such as `fail_node` do what happens to clusters.

    `remembers_s`: for how long squeue shows what ended. `array_size`: the largest index. `most_submitted`: elements
    that one user may have there. `history_after_s`: how late the accounting is; None: there is none.

    >>> cluster = PretendCluster(clock, rule=failing("merge"))  # doctest: +SKIP
    >>> there = {"pretend": cluster.site(campaign.sites["pretend"], campaign.root)}  # doctest: +SKIP
    >>> with Conductor(campaign, command="run", clock=clock, clusters=there) as conductor:  # doctest: +SKIP
    ...     conductor.run()
    """

    def __init__(
        self,
        clock: ManualClock,
        *,
        rule: Rule = all_well,
        slots: int = 4,
        queue_s: float = 0.0,
        nodes: Sequence[str] = ("n1", "n2", "n3", "n4"),
        array_size: int = 1000,
        most_submitted: int | None = None,
        remembers_s: float = 300.0,
        history_after_s: float | None = 0.0,
        answers_after_s: float = 0.0,
        on_disk: bool = True,
    ) -> None:
        self.clock, self.rule, self.slots, self.queue_s, self.nodes = (
            clock,
            rule,
            slots,
            queue_s,
            tuple(nodes),
        )
        self.array_size, self.most_submitted, self.remembers_s = array_size, most_submitted, remembers_s
        self.history_after_s, self.answers_after_s, self.on_disk = history_after_s, answers_after_s, on_disk
        self.jobs: list[PretendJob] = []
        self.lives: defaultdict[tuple[Path, int], Lives] = defaultdict(Lives)
        self.numbers: Counter[TaskId] = Counter()
        self.asked: list[tuple[float, str]] = []
        """When which command was run, by the clock's monotonic seconds."""
        self.lies: Counter[Lie] = Counter()
        self.later: list[tuple[float, Callable[[], object]]] = []
        self.steps_to_live: int | None = None
        self.ids, self.working = count(101), False
        clock.watchers.append(self.work)

    def site(self, definition: Site, root: Path) -> ClusterSite:
        """Return the cluster's login node, for a conductor."""
        return PretendLogin(self, definition, root)

    # what a test does

    def tell(self, lie: Lie, times: int = 1_000_000) -> None:
        """Lie so many times; faults of files last until `be_honest`."""
        self.lies[lie] = times

    def be_honest(self) -> None:
        """Stop lying."""
        self.lies.clear()
        self.steps_to_live = None

    def commands(self, *names: str) -> list[float]:
        """Return when these commands were run."""
        return [at for at, name in self.asked if name in names]

    def job(self, number: int = -1) -> PretendJob:
        """Return a job, by default the newest, in the order of submission."""
        return self.jobs[number]

    def elements(self, *words: str) -> list[tuple[PretendJob, PretendElement]]:
        """Return the elements in these states that the controller knows."""
        return [
            (job, e)
            for job in self.jobs
            if not job.forgotten
            for e in job.elements.values()
            if e.word in words
        ]

    def cancel(self, job: PretendJob, *indices: int, by: str = "1001") -> None:
        """Cancel elements (none named: all), as a person does: what runs is sent SIGTERM."""
        for e in [job.elements[n] for n in indices or job.elements if n in job.elements]:
            if e.is_pending:
                self.end(e, "CANCELLED", by=by)
            elif e.is_running:
                self.interrupt(e)
                self.end(e, "CANCELLED", by=by)

    def preempt(self, element: PretendElement) -> None:
        """Send a running element away for another job."""
        self.interrupt(element)
        self.end(element, "PREEMPTED")

    def kill(
        self, element: PretendElement, word: str = "FAILED", *, code: str = "0:9", torn: int = 0
    ) -> None:
        """Kill a runner without a word; `torn` bytes of its file never reach the disk."""
        if element.runner:
            element.runner.alive = False
            if torn:
                element.runner.events.lose_tail(torn)
        self.end(element, word, code=code)

    def fail_node(self, node: str) -> None:
        """Let a node die with all that runs on it."""
        for _, e in self.elements("RUNNING"):
            if e.node == node:
                self.kill(e, "NODE_FAIL", code="0:0")

    def requeue(self, element: PretendElement) -> None:
        """Let a running element start again under its id, as an administrator can."""
        if element.runner:
            element.runner.alive = False
        element.word, element.reason, element.node, element.started = "PENDING", "BeginTime", "", None
        element.since = element.changed = self.clock.now()

    def forget(self, job: PretendJob, *, alive: bool = False) -> None:
        """Let the controller lose a job; what runs of it dies, or not."""
        job.forgotten = True
        for e in job.elements.values():
            if e.runner and not alive:
                e.runner.alive = False

    def double(self, job: PretendJob) -> PretendJob:
        """Submit a job that is there once more, under another id."""
        twin = PretendJob(next(self.ids), self.options_of(job), job.folder / "script.sh", self.clock.now())
        self.jobs.append(twin)
        return twin

    def options_of(self, job: PretendJob) -> dict[str, str]:
        """Return the options that a job was submitted with."""
        array = f"1-{len(job.elements)}" + (f"%{job.most}" if job.most else "")
        return {"job-name": job.name, **({"array": array} if job.is_array else {})}

    def seam(self) -> None:
        """Pass a place where a conductor may be killed."""
        if self.steps_to_live is not None:
            self.steps_to_live -= 1
            if self.steps_to_live <= 0:
                self.steps_to_live = None
                raise ConductorKilled

    # what happens by itself

    def work(self) -> None:
        """Do all that is due by now."""
        if self.working:
            return
        self.working, now = True, self.clock.now()
        try:
            due = [do for at, do in self.later if at <= now]
            self.later = [(at, do) for at, do in self.later if at > now]
            for do in due:
                do()
            for job in self.jobs:
                if not job.is_over:
                    self.run_job(job, now)
            self.start_waiting(now)
            self.show_files(now)
        finally:
            self.working = False

    def run_job(self, job: PretendJob, now: float) -> None:
        """Let what runs of a job go on, and end."""
        for e in job.running():
            if not e.runner or e.started is None:
                continue
            if job.warns and job.walltime_s and now >= e.started + job.walltime_s - WARNED_S:
                e.runner.ending = True
            e.runner.work()
            self.end_what_is_over(job, e, now)

    def end_what_is_over(self, job: PretendJob, element: PretendElement, now: float) -> None:
        """Note that a runner has left or died, or end it because its time is over."""
        runner = element.runner
        if job.forgotten or runner is None or element.started is None:
            return
        if not runner.alive:
            good = said_goodbye(runner)
            self.end(element, "COMPLETED" if good else "FAILED", code="0:0" if good else "0:9")
        elif job.walltime_s and now >= element.started + job.walltime_s:
            self.kill(element, "TIMEOUT", code="0:0")

    def start_waiting(self, now: float) -> None:
        """Start elements while there are slots."""
        free = self.slots - len(self.elements("RUNNING"))
        for job in (job for job in self.jobs if not job.is_over):
            room = free if job.most is None else min(free, job.most - len(job.running()))
            if job.forgotten or room <= 0:
                continue
            due = [e for e in job.pending() if now >= e.since + self.queue_s and e.reason != "JobHeldUser"]
            nodes = [node for node in self.nodes if node not in job.excluded]
            for e in due[:room] if nodes else ():
                self.start(job, e, nodes[e.index % len(nodes)])
                free -= 1

    def start(self, job: PretendJob, element: PretendElement, node: str) -> None:
        """Start an element: it claims its batch, or finds that another has it."""
        now = self.clock.now()
        element.word, element.reason, element.node = "RUNNING", "None", node
        element.started, element.changed = now, now
        lives = self.lives[job.folder, element.index]
        holder = lives.holder
        if not job.folder.is_dir():
            return self.end(element, "FAILED", code="66:0")
        if holder and (holder.native != str(job.native) or holder.alive):
            with (job.folder / "doubles.jsonl").open("a") as doubles:
                doubles.write(f'{{"t":"{job.name}","i":{element.index},"e":"double"}}\n')
            return self.end(element, "COMPLETED")
        element.runner = self.runner(job, element, lives)
        element.runner.claim()
        element.runner.work()
        return None

    def runner(self, job: PretendJob, element: PretendElement, lives: Lives) -> PretendRunner:
        """Return the runner of the next life of an element."""
        ahead = HOUR if self.lies[Lie.CLOCK_AHEAD] else 0.0
        life, index, spec = len(lives.files) + 1, element.index, job.spec
        path = job.folder / f"{index}.{life}.jsonl"
        events = EventFile(
            job.name, path, lambda: self.clock.now() + ahead, element=index, life=life, late=True
        )
        past = lives.past()
        runner = PretendRunner(
            job.name, str(job.native), spec, Path(spec["root"]), events, self.rule, self.clock, self.numbers, self.on_disk,
            host=element.node, past=past, revocations=job.folder / f"{index}.revoked", walltime_s=spec["walltime_s"],
            beat_s=spec["beat_s"],
        )  # fmt: skip
        runner.feed(job.batch(index))
        runner.closed = len(runner.batches)
        lives.show_all()
        lives.files.append(events)
        lives.runners.append(runner)
        lives.lengths.clear()
        return runner

    def show_files(self, now: float) -> None:
        """Let the conductor see what its file system shows by now."""
        late_s = LATE_S if self.lies[Lie.FILES_LATE] else 0.0
        torn = bool(self.lies[Lie.TORN_LINES])
        for lives in self.lives.values():
            lives.show(now, late_s=late_s, torn=torn)

    def interrupt(self, element: PretendElement) -> None:
        """Send SIGTERM to a runner and to all that it runs."""
        if element.runner and element.runner.alive:
            element.runner.interrupt()
            element.runner.alive = False

    def end(self, element: PretendElement, word: str, *, code: str = "0:0", by: str = "") -> None:
        """Record how an element ended."""
        element.word, element.code, element.by, element.reason = word, code, by, "None"
        element.ended = element.changed = self.clock.now()

    # what its commands do

    def run(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Answer a command of Slurm."""
        self.seam()
        words = [word for word in argv if word != "env" and "=" not in word.partition("-")[0]]
        self.asked.append((self.clock.monotonic(), words[0]))
        lie = self.next_lie(words[0])
        reply = self.answer(words, lie, timeout_s)
        self.seam()
        return reply

    def next_lie(self, command: str) -> Lie | None:
        """Return the lie that this command is answered with, and count it."""
        fitting = FITTING.get(command, ANSWERING)
        lie = next((lie for lie in Lie if lie in fitting and self.lies[lie] > 0), None)
        if lie:
            self.lies[lie] -= 1
        return lie

    def answer(self, words: Sequence[str], lie: Lie | None, timeout_s: float) -> Reply:
        """Answer truly, or with a lie."""
        if lie in (Lie.NO_ANSWER, Lie.NOT_TAKEN, Lie.TAKEN_IN_SILENCE, Lie.TAKEN_LATE):
            if lie is Lie.TAKEN_IN_SILENCE:
                self.sbatch(words)
            if lie is Lie.TAKEN_LATE:
                at, job = self.clock.now() + timeout_s + LATE_S, self.job_of(words)
                self.later.append((at, lambda: self.jobs.append(job)))
            self.clock.turn(timeout_s)
            return Reply(None)
        self.clock.turn(60.0 if lie is Lie.LATE_ANSWER else self.answers_after_s)
        if lie is Lie.NO_CONTACT:
            return WITHOUT_CONTACT.get(words[0], NO_CONTACT)
        reply = self.commands_of_slurm()[words[0]](words, lie)
        return SPOIL[lie](reply) if lie and lie in SPOIL else reply

    def commands_of_slurm(self) -> dict[str, Callable[[Sequence[str], Lie | None], Reply]]:
        """Return what each command does."""
        return {
            "sbatch": lambda words, lie: self.refusal(lie) or self.sbatch(words),
            "squeue": self.squeue,
            "sacct": self.sacct,
            "scancel": lambda words, lie: self.scancel(words),
            "scontrol": lambda words, lie: Reply(
                0,
                config_text(self.array_size, self.remembers_s, accounting=self.history_after_s is not None),
            ),
        }

    def refusal(self, lie: Lie | None) -> Reply | None:
        """Return how a job is refused, if it is."""
        refused = {Lie.REFUSED: NO_PARTITION, Lie.FULL: FILLED}
        return Reply(1, "", refused[lie]) if lie in refused else None

    def sbatch(self, words: Sequence[str]) -> Reply:
        """Take a job."""
        job = self.job_of(words)
        there = len(self.elements("PENDING", "RUNNING"))
        if len(job.elements) > self.array_size:
            return Reply(1, "", TOO_LARGE)
        if self.most_submitted is not None and there + len(job.elements) > self.most_submitted:
            return Reply(1, "", FILLED)
        self.jobs.append(job)
        return Reply(0, f"{job.native}\n")

    def job_of(self, words: Sequence[str]) -> PretendJob:
        """Return the job that an sbatch command means."""
        return PretendJob(next(self.ids), options_in(words), Path(words[-1]), self.clock.now())

    def named(self, words: Sequence[str]) -> list[PretendJob]:
        """Return the jobs that a question names."""
        options = options_in(words)
        names, ids = options.get("name", "").split(","), options.get("jobs", "").split(",")
        every = "name" not in options and "jobs" not in options
        return [j for j in self.jobs if every or j.name in names or str(j.native) in ids]

    def squeue(self, words: Sequence[str], lie: Lie | None) -> Reply:
        """Tell where jobs stand."""
        known = [job for job in self.named(words) if not job.forgotten]
        form = options_in(words)["format"]
        told = known[1:] if lie is Lie.LEFT_OUT else known
        return Reply(0, queue_text(told, form, now=self.clock.now(), remembers_s=self.remembers_s))

    def sacct(self, words: Sequence[str], lie: Lie | None) -> Reply:
        """Tell how jobs ended."""
        if self.history_after_s is None or lie is Lie.HISTORY_OFF:
            return Reply(1, "", DISABLED)
        if lie is Lie.HISTORY_FAILS:
            return Reply(1, "", NO_DATABASE)
        told = self.named(words)[1:] if lie is Lie.LEFT_OUT else self.named(words)
        before = float("-inf") if lie is Lie.NO_HISTORY else self.clock.now() - self.history_after_s
        form = options_in(words)["format"]
        return Reply(0, history_text(told, form, before=before, frozen=lie is Lie.RUNS_FOR_EVER))

    def scancel(self, words: Sequence[str]) -> Reply:
        """Cancel elements; what is unknown is passed over in silence."""
        native, _, some = words[1].partition("_")
        for job in (j for j in self.jobs if str(j.native) == native and not j.forgotten):
            self.cancel(job, *(expand_ranges(some.strip("[]")) if some else ()))
        return Reply(0)


class PretendLogin(ClusterSite):
    """The login node of a PretendCluster, where a conductor may be killed between any two steps."""

    def __init__(self, cluster: PretendCluster, definition: Site, root: Path) -> None:
        super().__init__(definition, root, run=cluster.run, clock=cluster.clock)
        self.cluster = cluster

    def place_job(self, request: Request, spec: bytes, tasks: bytes, lists: Mapping[str, bytes]) -> None:
        """Write all that a job reads."""
        with self.step():
            super().place_job(request, spec, tasks, lists)

    def revoke(self, token: str, element: int, tasks: Sequence[tuple[int, int]]) -> None:
        """Tell an element which tasks it must not go on with."""
        with self.step():
            super().revoke(token, element, tasks)

    def pack(self, token: str) -> None:
        """Put all that a settled job left into one file."""
        with self.step():
            super().pack(token)

    @contextmanager
    def step(self) -> Generator[None]:
        """Surround a step, before and after which a conductor may be killed."""
        self.cluster.seam()
        yield
        self.cluster.seam()


def options_in(words: Sequence[str]) -> dict[str, str]:
    """Return the `--key=value` options of a command."""
    return dict(option(word) for word in words if word.startswith("--"))


def option(word: str) -> tuple[str, str]:
    """Split one option."""
    key, _, value = word[2:].partition("=")
    return key, value
