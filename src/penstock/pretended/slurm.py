"""A Slurm that only pretends: the jobs that its controller knows, and what its commands answer about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

from penstock.pretended.clock import ManualClock
from penstock.pretended.elements import PretendElement, PretendJob
from penstock.pretended.faults import ANSWERING, FITTING, NO_CONTACT, SPOIL, WITHOUT_CONTACT, Fault
from penstock.pretended.slurmtext import config_text, history_text, queue_text
from penstock.schedulers.text import expand_ranges
from penstock.transports.reply import Reply

LATE_ANSWER_S = 60.0
TAKEN_LATE_S = 30.0  # after the command was given up
OUT_OF_TIME = frozenset((Fault.NO_ANSWER, Fault.NOT_TAKEN, Fault.TAKEN_IN_SILENCE, Fault.TAKEN_LATE))
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
REFUSALS: Mapping[Fault, str] = {Fault.REFUSED: NO_PARTITION, Fault.FULL: FILLED}


class PretendSlurm:
    """Takes jobs and tells where they stand; it starts nothing. `faults`: how many more answers each fault spoils."""

    def __init__(
        self,
        clock: ManualClock,
        faults: Counter[Fault],
        *,
        array_size: int,
        most_submitted: int | None,
        remembers_s: float,
        history_after_s: float | None,
        answers_after_s: float,
    ) -> None:
        self.clock, self.faults = clock, faults
        self.array_size, self.most_submitted, self.remembers_s = array_size, most_submitted, remembers_s
        self.history_after_s, self.answers_after_s = history_after_s, answers_after_s
        self.jobs: list[PretendJob] = []
        self.asked: list[tuple[float, str]] = []
        """When which command was run, by the clock's monotonic seconds."""
        self.late: list[tuple[float, PretendJob]] = []
        """Jobs that will be taken, and when."""
        self.ids = count(101)

    def elements(self, *words: str) -> list[tuple[PretendJob, PretendElement]]:
        """Return the elements in these states that are not forgotten."""
        return [
            (job, e)
            for job in self.jobs
            if not job.forgotten
            for e in job.elements.values()
            if e.word in words
        ]

    def take(self, options: Mapping[str, str], script: Path) -> PretendJob:
        """Take a job, whatever the limits are."""
        job = self.new_job(options, script)
        self.jobs.append(job)
        return job

    def take_late(self, now: float) -> None:
        """Take the jobs that are due."""
        self.jobs += [job for at, job in self.late if at <= now]
        self.late = [(at, job) for at, job in self.late if at > now]

    def new_job(self, options: Mapping[str, str], script: Path) -> PretendJob:
        """Return a job under the next id."""
        return PretendJob(next(self.ids), options, script, self.clock.now())

    def run(self, argv: Sequence[str], *, timeout_s: float) -> Reply:
        """Answer a command, truly or with a fault; its time goes by on the clock."""
        words = [word for word in argv if word != "env" and "=" not in word.partition("-")[0]]
        command = words[0]
        self.asked.append((self.clock.monotonic(), command))
        fault = self.next_fault(command)
        if fault in OUT_OF_TIME:
            return self.run_out_of_time(words, fault, timeout_s)
        self.clock.turn(LATE_ANSWER_S if fault is Fault.LATE_ANSWER else self.answers_after_s)
        if fault is Fault.NO_CONTACT:
            return WITHOUT_CONTACT.get(command, NO_CONTACT)
        reply = self.commands()[command](words, fault)
        return SPOIL[fault](reply) if fault and fault in SPOIL else reply

    def next_fault(self, command: str) -> Fault | None:
        """Return the fault that this command is answered with, and count it."""
        fitting = FITTING.get(command, ANSWERING)
        fault = next((fault for fault in Fault if fault in fitting and self.faults[fault] > 0), None)
        if fault:
            self.faults[fault] -= 1
        return fault

    def run_out_of_time(self, words: Sequence[str], fault: Fault, timeout_s: float) -> Reply:
        """Let a command be given up; its job may be taken all the same, now or later."""
        if fault is Fault.TAKEN_IN_SILENCE:
            self.sbatch(words)
        if fault is Fault.TAKEN_LATE:
            at = self.clock.now() + timeout_s + TAKEN_LATE_S
            self.late.append((at, self.new_job(options_in(words), Path(words[-1]))))
        self.clock.turn(timeout_s)
        return Reply(None)

    def commands(self) -> dict[str, Callable[[Sequence[str], Fault | None], Reply]]:
        """Return what each command does."""
        return {
            "sbatch": self.sbatch,
            "squeue": self.squeue,
            "sacct": self.sacct,
            "scancel": lambda words, fault: self.scancel(words),
            "scontrol": lambda words, fault: self.scontrol(),
        }

    def sbatch(self, words: Sequence[str], fault: Fault | None = None) -> Reply:
        """Take a job within the limits, or refuse it."""
        if fault and fault in REFUSALS:
            return Reply(1, "", REFUSALS[fault])
        job = self.new_job(options_in(words), Path(words[-1]))
        there = len(self.elements("PENDING", "RUNNING"))
        if len(job.elements) > self.array_size:
            return Reply(1, "", TOO_LARGE)
        if self.most_submitted is not None and there + len(job.elements) > self.most_submitted:
            return Reply(1, "", FILLED)
        self.jobs.append(job)
        return Reply(0, f"{job.native}\n")

    def named(self, words: Sequence[str]) -> list[PretendJob]:
        """Return the jobs that a question names."""
        options = options_in(words)
        names, ids = options.get("name", "").split(","), options.get("jobs", "").split(",")
        every = "name" not in options and "jobs" not in options
        return [j for j in self.jobs if every or j.name in names or str(j.native) in ids]

    def squeue(self, words: Sequence[str], fault: Fault | None) -> Reply:
        """Tell where jobs stand."""
        known = [job for job in self.named(words) if not job.forgotten]
        form = options_in(words)["format"]
        told = known[1:] if fault is Fault.LEFT_OUT else known
        return Reply(0, queue_text(told, form, now=self.clock.now(), remembers_s=self.remembers_s))

    def sacct(self, words: Sequence[str], fault: Fault | None) -> Reply:
        """Tell how jobs ended."""
        if self.history_after_s is None or fault is Fault.HISTORY_OFF:
            return Reply(1, "", DISABLED)
        if fault is Fault.HISTORY_FAILS:
            return Reply(1, "", NO_DATABASE)
        told = self.named(words)[1:] if fault is Fault.LEFT_OUT else self.named(words)
        before = float("-inf") if fault is Fault.NO_HISTORY else self.clock.now() - self.history_after_s
        form = options_in(words)["format"]
        return Reply(0, history_text(told, form, before=before, frozen=fault is Fault.RUNS_FOR_EVER))

    def scancel(self, words: Sequence[str]) -> Reply:
        """Cancel elements; what is unknown is passed over in silence."""
        native, _, some = words[1].partition("_")
        for job in (j for j in self.jobs if str(j.native) == native and not j.forgotten):
            job.cancel(*(expand_ranges(some.strip("[]")) if some else ()), at=self.clock.now())
        return Reply(0)

    def scontrol(self) -> Reply:
        """Tell the limits."""
        accounting = self.history_after_s is not None
        return Reply(0, config_text(self.array_size, self.remembers_s, accounting=accounting))


def options_in(words: Sequence[str]) -> dict[str, str]:
    """Return the `--key=value` options of a command."""
    return dict(option(word) for word in words if word.startswith("--"))


def option(word: str) -> tuple[str, str]:
    """Split one option."""
    key, _, value = word[2:].partition("=")
    return key, value
