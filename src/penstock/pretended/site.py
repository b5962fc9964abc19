"""A place where jobs only seem to run: the one fake of the JobSite protocol."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from penstock.clock import Clock
from penstock.hardware import Amounts, Node
from penstock.ledger.excerpt import EXCERPT
from penstock.pretended.clock import ManualClock
from penstock.pretended.eventfile import EventFile, LineFault
from penstock.pretended.outcomes import Outcome, Rule, all_well
from penstock.pretended.runner import PretendRunner, TaskId
from penstock.runner.files import pack_folder
from penstock.site.evidence import misfits, unproven
from penstock.site.protocols import Life, Task
from penstock.transports.protocol import AT_ONCE

PLENTY = 1 << 60  # bytes of memory


class PretendSite:
    """A site without processes: a rule says how each task ends, and true events tell of it.

    Its runners work whenever the conductor looks at them, as far as the clock allows: a task of 60 seconds ends
    when the clock has gone 60 seconds on. Faults: `lines` spoil every event file, the first `dies_at_once`
    runners end before they claim anything, a runner that dies loses the last `loses_tail` bytes of its file.

    >>> site = PretendSite(tmp_path, rule=failing("merge"), clock=clock)  # doctest: +SKIP
    >>> with Conductor(campaign, command="run", site=site, clock=clock) as conductor:  # doctest: +SKIP
    ...     conductor.run()
    """

    def __init__(
        self,
        root: Path,
        *,
        rule: Rule | None = all_well,
        clock: Clock | None = None,
        cores: int = 2,
        memory_bytes: int = PLENTY,
        devices: Sequence[str] = (),
        on_disk: bool = True,
        lines: Iterable[LineFault] = (),
        dies_at_once: int = 0,
        loses_tail: int = 0,
    ) -> None:
        self.root, self.rule, self.clock = root, rule, clock or ManualClock()
        self._node = Node("", Amounts(cores, memory_bytes, len(devices)), devices)
        self.on_disk, self.line_faults, self.loses_tail = on_disk, frozenset(lines), loses_tail
        self.dies_at_once = dies_at_once
        self.specs: dict[str, dict[str, Any]] = {}
        self.runners: dict[str, PretendRunner] = {}
        self.numbers: Counter[TaskId] = Counter()

    @property
    def name(self) -> str:
        """The site's name in the record."""
        return "pretended"

    @property
    def nodes(self) -> Sequence[Node]:
        """The one machine that it seems to be."""
        return [self._node]

    def environment(self) -> Mapping[str, str]:
        """Return what is set for every task: nothing."""
        return {}

    def check_owner(self) -> None:
        """Do nothing: nobody else has it."""

    def job_folder(self, token: str) -> Path:
        """Return the folder of a job."""
        return self.root / ".penstock" / "jobs" / token

    def place(self, token: str, files: Mapping[str, bytes]) -> Path:
        """Take what a job reads."""
        if "spec.json" in files:
            self.specs[token] = json.loads(files["spec.json"])
        folder = self.job_folder(token)
        if self.on_disk:
            folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            for name, data in files.items():
                (folder / name).write_bytes(data)
        return folder

    def start(self, token: str, node: str = "") -> str:
        """Start a pretended runner and return its native id."""
        native = f"pretended-{len(self.runners) + 1}"
        path = self.job_folder(token) / "1.1.jsonl" if self.on_disk else None
        events = EventFile(token, path, self.clock.now, faults=self.line_faults)
        runner = PretendRunner(
            token, native, self.specs[token], self.root, events, self.rule, self.clock, self.numbers, self.on_disk
        )  # fmt: skip
        self.runners[token] = runner
        runner.alive = len(self.runners) > self.dies_at_once
        if runner.alive:
            runner.claim()
        return native

    def feed(self, token: str, data: bytes) -> None:
        """Give more batches to a job."""
        self.runners[token].feed(data)

    def is_placed(self, token: str) -> bool:
        """Whether a job was given what it reads."""
        return token in self.specs

    def fed(self, token: str) -> bytes:
        """Return all that was ever fed to a job."""
        return bytes(self.runners[token].fed) if token in self.runners else b""

    def close_feed(self, token: str, batches: int) -> None:
        """Tell a job how many batches it will get in all."""
        if token in self.runners:
            self.runners[token].closed = batches

    def damage(self, token: str) -> Mapping[str, str]:
        """Return the files of a job that are damaged: none, what is pretended stays as it is."""
        return {}

    def set_aside(self, token: str, name: str) -> None:
        """Do nothing: no file is damaged."""

    def revoke(self, token: str, tasks: Mapping[int, Sequence[Task]]) -> None:
        """Tell a job which tasks it must not go on with."""
        if token in self.runners:
            self.runners[token].revoked.update(*tasks.values())

    def revoke_all(self, token: str) -> None:
        """Tell a job to go on with nothing."""
        if token in self.runners:
            self.runners[token].stopped = True

    def is_of_campaign(self, token: str) -> bool:
        """Whether a job is one of this campaign: all are."""
        return token in self.runners

    def new_events(
        self, known: Mapping[Life, int | None], tokens: Collection[str] = ()
    ) -> Mapping[Life, bytes]:
        """Let jobs work, and return what their event files have after these offsets."""
        return {
            life: self.events_of(life[0], offset)
            for life, offset in known.items()
            if offset is not None and life[0] in self.runners
        }

    def events_of(self, token: str, offset: int) -> bytes:
        """Let a job work, and return the next new bytes of its event file, a megabyte at most."""
        self.work(token)
        return bytes(self.runners[token].events.data[offset : offset + AT_ONCE])

    def alive(self, native: str) -> bool:
        """Whether a job still runs, after it worked as far as the clock allows."""
        runner = next((r for r in self.runners.values() if r.native == native), None)
        if runner is None:
            return False
        self.work(runner.token)
        return runner.alive

    def sees(self, native: str) -> bool:
        """Whether it can be told if a job still runs: always."""
        return True

    def ask_to_end(self, native: str) -> None:
        """Ask a job to start nothing more and to return the rest."""
        for runner in self.runners.values():
            runner.ending = runner.ending or runner.native == native

    def end_leftovers(self, token: str) -> None:
        """Do nothing: no process was left."""

    def remove_drafts(self) -> None:
        """Do nothing: no draft was left."""

    def misfits(self, products: Sequence[tuple[str, int, str]]) -> Mapping[str, str]:
        """Return what is wrong with products that are said to be made."""
        return misfits(self.root, products) if self.on_disk else {}

    def unproven(self, products: Sequence[tuple[str, int, str]]) -> Mapping[str, str]:
        """Return what is wrong with the bytes of products that are said to be made."""
        return unproven(self.root, products) if self.on_disk else {}

    def unsaid(self, life: Life, paths: Sequence[str], *, heard: int | None) -> Sequence[str]:
        """Return those paths at which lies what a job made."""
        runner = self.runners.get(life[0])
        return sorted(runner.made.intersection(paths)) if runner else []

    def runner_log(self, token: str) -> str:
        """Return what the runner itself had to say."""
        started = self.runners.get(token)
        return "" if started and started.events.count else "it died at once, as the test wanted"

    def remove_leftovers(self, token: str, elements: Sequence[int], is_kept: Callable[[str], bool]) -> None:
        """Do nothing: pretended runners leave nothing."""

    def pack(self, token: str, record: bytes = b"") -> None:
        """Pack the files of a finished job into one."""
        if self.on_disk:
            (self.job_folder(token) / EXCERPT).write_bytes(record)
            pack_folder(str(self.job_folder(token)))

    def unpacked(self) -> Sequence[str]:
        """Return the jobs whose folders are there."""
        folder = self.job_folder("")
        return [path.name for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []

    def work(self, token: str) -> None:
        """Let one job do what is due by now."""
        runner = self.runners[token]
        was_alive = runner.alive
        runner.work()
        if was_alive and not runner.alive and self.loses_tail and not has_left(runner):
            runner.events.lose_tail(self.loses_tail)

    def write_late_ends(self) -> None:
        """Write the ends that runners kept back when they were given up (`then="ends late"`)."""
        for runner in self.runners.values():
            runner.end_late()

    def kill(self, *, lost: Outcome | None = None) -> None:
        """Kill every runner where it stands, as a power cut does; `lost` may end the running tasks before."""
        for runner in self.runners.values():
            if lost and runner.current and runner.alive:
                runner.end(runner.current.line, lost)
            runner.alive, runner.current = False, None


def has_left(runner: PretendRunner) -> bool:
    """Whether a runner left by itself."""
    return b'"e":"leave"' in runner.events.data
