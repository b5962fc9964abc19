"""Jobs and elements of a PretendCluster, as its controller knows them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from penstock.pretended.eventfile import EventFile
from penstock.pretended.runner import PretendRunner

DIRECTIVE = re.compile(r"^#SBATCH --([\w-]+)=?(.*)$", re.MULTILINE)
ARRAY = re.compile(r"1-(\d+)(?:%(\d+))?")


@dataclass(slots=True)
class PretendElement:
    """One element; `word`, `reason`, `code` are Slurm's, times those of the pretended cluster's clock."""

    index: int
    since: float
    word: str = "PENDING"
    reason: str = "Priority"
    started: float | None = None
    ended: float | None = None
    changed: float = 0.0
    node: str = ""
    code: str = "0:0"
    by: str = ""
    traceless: bool = False
    """Whether it was taken out of an array that still waits: Slurm has no record of that."""
    runner: PretendRunner | None = None

    @property
    def is_pending(self) -> bool:
        """Whether it waits."""
        return self.word == "PENDING"

    @property
    def is_running(self) -> bool:
        """Whether it has a node."""
        return self.word == "RUNNING"

    def begin(self, node: str, *, at: float) -> None:
        """Give it a node."""
        self.word, self.reason, self.node = "RUNNING", "None", node
        self.started = self.changed = at

    def interrupt(self) -> None:
        """Send SIGTERM to its runner and to all that this runs."""
        if self.runner and self.runner.alive:
            self.runner.interrupt()
            self.runner.alive = False

    def kill(self) -> None:
        """End its runner without a message."""
        if self.runner:
            self.runner.alive = False

    def end(self, word: str, *, at: float, code: str = "0:0", by: str = "") -> None:
        """Record how it ended."""
        self.word, self.code, self.by, self.reason = word, code, by, "None"
        self.ended = self.changed = at


class PretendJob:
    """One job, read from the command and the script that submitted it."""

    def __init__(self, native: int, options: Mapping[str, str], script: Path, now: float) -> None:
        found = ARRAY.fullmatch(options.get("array", ""))
        self.native, self.name, self.options = native, options["job-name"], options
        self.folder, self.submitted = script.parent, now
        self.is_array, self.most = found is not None, int(found[2]) if found and found[2] else None
        directives: dict[str, str] = dict(DIRECTIVE.findall(script.read_text(encoding="utf-8")))
        self.walltime_s = 60.0 * int(directives["time"]) if "time" in directives else None
        self.memory_mb = int(directives["mem"].rstrip("M")) if "mem" in directives else None
        self.warns = "signal" in directives
        self.cores = int(directives.get("cpus-per-task", 1)) * int(directives.get("ntasks", 1))
        self.nice = int(directives.get("nice", 0))
        self.excluded = frozenset[str](directives.get("exclude", "").split(","))
        count = int(found[1]) if found else 1
        self.elements = {n: PretendElement(n, now, changed=now) for n in range(1, count + 1)}
        self.forgotten, self._over = False, False

    @property
    def is_over(self) -> bool:
        """Whether nothing of it waits or runs."""
        self._over = self._over or not (self.pending() or self.running())
        return self._over

    @cached_property
    def spec(self) -> dict[str, Any]:
        """What its runners read first."""
        return json.loads((self.folder / "spec.json").read_bytes())

    @property
    def token(self) -> str:
        """The job's token, which its name may have something before."""
        return str(self.spec["token"])

    def batch(self, element: int) -> bytes:
        """Return the stretch of `tasks.jsonl` that an element reads."""
        offsets: Sequence[int] = self.spec["offsets"]
        data = (self.folder / "tasks.jsonl").read_bytes()
        return data[offsets[element - 1] : offsets[element] if element < len(offsets) else len(data)]

    def id_of(self, *indices: int, text: str = "") -> str:
        """Return how Slurm writes the id of some elements; `text` instead of a list of them."""
        if not self.is_array:
            return str(self.native)
        return f"{self.native}_{text or indices[0]}"

    def cancel(self, *indices: int, at: float, by: str = "1001") -> None:
        """Cancel elements (none named: all): what runs is sent SIGTERM."""
        hit = [self.elements[n] for n in indices or self.elements if n in self.elements]
        waited = [e for e in hit if e.is_pending]
        for e in [e for e in hit if e.is_pending or e.is_running]:
            e.interrupt()
            e.end("CANCELLED", by=by, at=at)
        for e in waited:
            e.traceless = bool(self.pending())

    def pending(self) -> list[PretendElement]:
        """Return what waits."""
        return [e for e in self.elements.values() if e.is_pending]

    def running(self) -> list[PretendElement]:
        """Return what runs."""
        return [e for e in self.elements.values() if e.is_running]


@dataclass(slots=True)
class Lives:
    """The event files of one element of one job folder, as the nodes see them."""

    files: list[EventFile] = field(default_factory=list[EventFile])
    runners: list[PretendRunner] = field(default_factory=list[PretendRunner])
    lengths: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """How long the newest file was when."""

    @property
    def holder(self) -> PretendRunner | None:
        """Who claimed it last."""
        return self.runners[-1] if self.runners else None

    def past(self) -> frozenset[tuple[int, int]]:
        """Return the tasks that earlier lives went through."""
        return frozenset(task for file in self.files for task in tasks_gone_through(bytes(file.data)))

    def show(self, now: float, *, late_s: float, torn: bool) -> None:
        """Let the conductor see what is old enough."""
        if not self.files:
            return
        file = self.files[-1]
        if not self.lengths or self.lengths[-1][1] != len(file.data):
            self.lengths.append((now, len(file.data)))
        old = next((length for at, length in reversed(self.lengths) if at <= now - late_s), 0)
        fresh = torn and self.lengths[-1][0] > now - 1
        file.show(max(0, old - 7) if fresh else old)

    def show_all(self) -> None:
        """Let the conductor see everything."""
        for file in self.files:
            file.show(len(file.data))


def tasks_gone_through(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the tasks that a life ended or gave back."""
    for line in data.split(b"\n")[:-1]:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["e"] == "end":
            yield event["s"], event["u"]
        elif event["e"] == "give":
            yield from ((stage, unit) for stage, unit in event["tasks"])
