"""CPU, wall time and memory of a command with all its processes, also those that left it."""

from __future__ import annotations

import ctypes
import os
import shlex
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took; `cpu_s` is user and system time of its whole process tree."""

    cpu_s: float
    wall_s: float
    peak_bytes: int


def adopt_orphans() -> None:
    """Become the parent of processes whose own parent ended, so that their CPU time is counted too."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "cannot become a subreaper")


def run(
    argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str] | None = None, check: bool = True
) -> Cost:
    """Run a command and return what it and all its descendants took; raises if it fails."""
    began = time.monotonic()
    with open(cwd / "output.txt", "wb") as output:
        process = subprocess.Popen(
            list(argv), cwd=cwd, env={**usual_environment(), **(environment or {})}, stdin=subprocess.DEVNULL,
            stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if check and process.returncode:
        raise RuntimeError(
            f"{shlex.join(argv)} ended {process.returncode}: {(cwd / 'output.txt').read_text()[-2000:]}"
        )
    cpu, peak = usage.ru_utime + usage.ru_stime, usage.ru_maxrss
    for late in wait_for_orphans():
        cpu, peak = cpu + late.ru_utime + late.ru_stime, max(peak, late.ru_maxrss)
    return Cost(cpu, wall, peak * 1024)


def usual_environment() -> dict[str, str]:
    """Return our environment, with Python's byte code kept as it is wherever nobody said otherwise."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def wait_for_orphans() -> list[os.struct_rusage]:
    """Wait for adopted processes and return what they used."""
    used: list[os.struct_rusage] = []
    while True:
        try:
            used.append(os.wait4(-1, 0)[2])
        except ChildProcessError:
            return used


def medians(contests: Mapping[str, Callable[[], Cost]], *, rounds: int) -> dict[str, Cost]:
    """Run all contestants in turn, `rounds` times, and return the median of each; turns share the machine's mood."""
    taken: dict[str, list[Cost]] = {name: [] for name in contests}
    for _ in range(rounds):
        for name, contest in contests.items():
            taken[name].append(contest())
    return {name: median(costs) for name, costs in taken.items()}


def median(costs: Sequence[Cost]) -> Cost:
    """Return the median of each figure."""
    return Cost(
        statistics.median(c.cpu_s for c in costs),
        statistics.median(c.wall_s for c in costs),
        int(statistics.median(c.peak_bytes for c in costs)),
    )
