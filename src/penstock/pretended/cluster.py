"""A simulated cluster: Slurm's commands are answered, and real event files written, by a clock."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from penstock.campaign import Site
from penstock.pretended.clock import ManualClock
from penstock.pretended.elements import Lives, PretendElement, PretendJob
from penstock.pretended.eventfile import EventFile
from penstock.pretended.faults import ConductorKilled, Fault
from penstock.pretended.outcomes import Rule, all_well
from penstock.pretended.runner import PretendRunner, TaskId
from penstock.pretended.site import has_left
from penstock.pretended.slurm import PretendSlurm
from penstock.pretended.way import PretendWay
from penstock.schedulers.model import Request
from penstock.site import ClusterSite
from penstock.site.cluster import folder_of
from penstock.site.protocols import Life, Task
from penstock.transports.reply import Reply

CLOCK_AHEAD_S = 3600.0
WARNED_S = 60.0  # before the end of its time, of a job that asks for a warning
FILES_LATE_S = 30.0


class PretendCluster:
    """A Slurm cluster without processes: what its commands print is text, its elements are PretendRunners.

    Everything happens as its clock goes on: elements start when a slot is free and `queue_s` is over, write their
    events, run out of time. `tell` makes it fault, methods such as `fail_node` do what happens to clusters.

    `start_s`: what a runner takes until it begins its first task. `remembers_s`: for how long squeue shows what
    ended. `array_size`: the largest index. `most_submitted`: elements that one user may have there.
    `history_after_s`: how late the accounting is; None: there is none.

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
        start_s: float = 0.0,
        nodes: Sequence[str] = ("n1", "n2", "n3", "n4"),
        array_size: int = 1000,
        most_submitted: int | None = None,
        remembers_s: float = 300.0,
        history_after_s: float | None = 0.0,
        answers_after_s: float = 0.0,
        on_disk: bool = True,
    ) -> None:
        self.clock, self.rule, self.on_disk = clock, rule, on_disk
        self.slots, self.queue_s, self.start_s, self.nodes = slots, queue_s, start_s, tuple(nodes)
        self.faults: Counter[Fault] = Counter()
        self.slurm = PretendSlurm(
            clock, self.faults, array_size=array_size, most_submitted=most_submitted, remembers_s=remembers_s,
            history_after_s=history_after_s, answers_after_s=answers_after_s,
        )  # fmt: skip
        self.lives: defaultdict[tuple[Path, int], Lives] = defaultdict(Lives)
        self.numbers: Counter[TaskId] = Counter()
        self.later: list[tuple[float, Callable[[], object]]] = []
        """What else happens, and when."""
        self.steps_to_live: int | None = None
        """After how many steps the conductor is killed."""
        self.working = False
        clock.watchers.append(self.work)

    def site(self, definition: Site, root: Path) -> ClusterSite:
        """Return the cluster's login node, for a conductor."""
        return PretendLogin(self, definition, root)

    def run(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Answer a command of Slurm."""
        self.killing_point()
        reply = self.slurm.run(argv, timeout_s=timeout_s)
        self.killing_point()
        return reply

    def killing_point(self) -> None:
        """Pass a point where a conductor may be killed."""
        if self.steps_to_live is not None:
            self.steps_to_live -= 1
            if self.steps_to_live <= 0:
                self.steps_to_live = None
                raise ConductorKilled

    # what a test does

    def inject(self, fault: Fault, times: int = 1_000_000) -> None:
        """Fault so many times; faults of files last until `clear_faults`."""
        self.faults[fault] = times

    def clear_faults(self) -> None:
        """Stop lying."""
        self.faults.clear()
        self.steps_to_live = None

    def commands(self, *names: str) -> list[float]:
        """Return when these commands were run."""
        return [at for at, name in self.slurm.asked if name in names]

    @property
    def jobs(self) -> list[PretendJob]:
        """All jobs, in the order of submission."""
        return self.slurm.jobs

    def job(self, number: int = -1) -> PretendJob:
        """Return a job, by default the newest."""
        return self.jobs[number]

    def elements(self, *words: str) -> list[tuple[PretendJob, PretendElement]]:
        """Return the elements in these states that the controller knows."""
        return self.slurm.elements(*words)

    def cancel(self, job: PretendJob, *indices: int, by: str = "1001") -> None:
        """Cancel elements (none named: all), as a person does: what runs is sent SIGTERM."""
        job.cancel(*indices, by=by, at=self.clock.now())

    def preempt(self, element: PretendElement) -> None:
        """Send a running element away for another job."""
        element.interrupt()
        element.end("PREEMPTED", at=self.clock.now())

    def kill(
        self, element: PretendElement, word: str = "FAILED", *, code: str = "0:9", torn: int = 0
    ) -> None:
        """Kill a runner without a message; `torn` bytes of its file never reach the disk."""
        element.kill()
        if element.runner and torn:
            element.runner.events.lose_tail(torn)
        element.end(word, code=code, at=self.clock.now())

    def fail_node(self, node: str) -> None:
        """Let a node die with all that runs on it."""
        for _, e in self.elements("RUNNING"):
            if e.node == node:
                self.kill(e, "NODE_FAIL", code="0:0")

    def requeue(self, element: PretendElement) -> None:
        """Let a running element start again under its id, as an administrator can."""
        element.kill()
        element.word, element.reason, element.node, element.started = "PENDING", "BeginTime", "", None
        element.since = element.changed = self.clock.now()

    def forget(self, job: PretendJob, *, alive: bool = False) -> None:
        """Let the controller lose a job; what runs of it dies, or not."""
        job.forgotten = True
        for e in job.elements.values():
            if not alive:
                e.kill()

    def double(self, job: PretendJob) -> PretendJob:
        """Submit a job that is there once more, under another id."""
        return self.slurm.take(job.options, job.folder / "script.sh")

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
            self.slurm.take_late(now)
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
            good = has_left(runner)
            element.end("COMPLETED" if good else "FAILED", code="0:0" if good else "0:9", at=now)
        elif job.walltime_s and now >= element.started + job.walltime_s:
            self.kill(element, "TIMEOUT", code="0:0")

    def start_waiting(self, now: float) -> None:
        """Start elements while there are slots, the nicer jobs after the others."""
        free = self.slots - len(self.elements("RUNNING"))
        for job in sorted((job for job in self.jobs if not job.is_over), key=lambda job: job.nice):
            room = free if job.most is None else min(free, job.most - len(job.running()))
            if job.forgotten or room <= 0:
                continue
            due = [e for e in job.pending() if now >= e.since + self.queue_s and e.reason != "JobHeldUser"]
            nodes = [node for node in self.nodes if node not in job.excluded]
            for e in due[:room] if nodes else ():
                self.start(job, e, nodes[e.index % len(nodes)], now)
                free -= 1

    def start(self, job: PretendJob, element: PretendElement, node: str, now: float) -> None:
        """Start an element: it claims its batch, or finds that another has it."""
        element.begin(node, at=now)
        lives = self.lives[job.folder, element.index]
        holder = lives.holder
        if not job.folder.is_dir():
            return element.end("FAILED", code="66:0", at=now)
        if holder and (holder.native != str(job.native) or holder.alive):
            with (job.folder / "doubles.jsonl").open("a", encoding="utf-8") as doubles:
                doubles.write(f'{{"t":"{job.token}","i":{element.index},"e":"double"}}\n')
            return element.end("COMPLETED", at=now)
        element.runner = self.runner(job, element, lives)
        element.runner.claim()
        element.runner.work()
        return None

    def runner(self, job: PretendJob, element: PretendElement, lives: Lives) -> PretendRunner:
        """Return the runner of the next life of an element."""
        ahead = CLOCK_AHEAD_S if self.faults[Fault.CLOCK_AHEAD] else 0.0
        life, index, spec = len(lives.files) + 1, element.index, job.spec
        path = job.folder / f"{index}.{life}.jsonl"
        events = EventFile(
            job.token, path, lambda: self.clock.now() + ahead, element=index, life=life, late=True
        )
        past = lives.past()
        runner = PretendRunner(
            job.token, str(job.native), spec, Path(spec["root"]), events, self.rule, self.clock, self.numbers, self.on_disk,
            host=element.node, past=past, revocations=job.folder / f"{index}.revoked", walltime_s=spec["walltime_s"],
            beat_s=spec["beat_s"], start_s=self.start_s,
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
        late_s = FILES_LATE_S if self.faults[Fault.FILES_LATE] else 0.0
        torn = bool(self.faults[Fault.TORN_LINES])
        for lives in self.lives.values():
            lives.show(now, late_s=late_s, torn=torn)


class PretendLogin(ClusterSite):
    """The login node of a PretendCluster, where a conductor may be killed between any two steps."""

    def __init__(self, cluster: PretendCluster, definition: Site, root: Path) -> None:
        transport = PretendWay(folder_of(definition, root), cluster.faults, run_here=cluster.run)
        super().__init__(definition, root, transport=transport, clock=cluster.clock)
        self.cluster = cluster

    def place_job(self, request: Request, spec: bytes, tasks: bytes, lists: Mapping[str, bytes]) -> None:
        """Write all that a job reads."""
        with self.step():
            super().place_job(request, spec, tasks, lists)

    def revoke(self, token: str, tasks: Mapping[int, Sequence[Task]]) -> None:
        """Tell elements which tasks they must not go on with."""
        with self.step():
            super().revoke(token, tasks)

    def pack(self, token: str, record: bytes = b"") -> None:
        """Pack the files of a finished job into one."""
        with self.step():
            super().pack(token, record)

    def unsaid(self, life: Life, paths: Sequence[str], *, heard: int | None) -> Sequence[str]:
        """Return those paths at which lies what a life made."""
        token, element, number = life
        runner = self.cluster.lives[self.job_folder(token), element].runners[number - 1]
        return sorted(runner.made.intersection(paths))

    @contextmanager
    def step(self) -> Generator[None]:
        """Surround a step, before and after which a conductor may be killed."""
        self.cluster.killing_point()
        yield
        self.cluster.killing_point()
