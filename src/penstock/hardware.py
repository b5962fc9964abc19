"""What of this machine is ours: its cores, memory and GPUs, as far as control groups and an allocation leave them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from penstock.runner.share import devices_given

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")
DEVICES = Path("/dev")

NODES = re.compile(r"([^\[\],]+)(\[[^\]]*\])?([^\[\],]*),?")
CORES = re.compile(r"(\d+)(?:\(x(\d+)\))?")

#: variable that tells a job of a scheduler → those that tell how many cores of this node are its own
ALLOCATED = {
    "SLURM_JOB_ID": ("SLURM_CPUS_ON_NODE",),
    "PBS_JOBID": ("NCPUS", "PBS_NUM_PPN"),  # PBS, Torque
    "LSB_JOBID": ("LSB_DJOB_NUMPROC",),
    "SGE_TASK_ID": ("NSLOTS",),
}


@dataclass(frozen=True, slots=True)
class Amounts:
    """Cores, bytes of memory and GPUs: what there is of them, or what is taken."""

    cores: int = 0
    memory_bytes: int = 0
    gpus: int = 0

    def __add__(self, other: Amounts) -> Amounts:
        return Amounts(
            self.cores + other.cores, self.memory_bytes + other.memory_bytes, self.gpus + other.gpus
        )

    def __mul__(self, times: int) -> Amounts:
        return Amounts(self.cores * times, self.memory_bytes * times, self.gpus * times)

    def __or__(self, other: Amounts) -> Amounts:
        """Return the larger of each: what two need that never run at once."""
        return Amounts(
            max(self.cores, other.cores),
            max(self.memory_bytes, other.memory_bytes),
            max(self.gpus, other.gpus),
        )

    def __le__(self, other: Amounts) -> bool:
        return (
            self.cores <= other.cores and self.memory_bytes <= other.memory_bytes and self.gpus <= other.gpus
        )

    def holds(self, one: Amounts) -> int:
        """Return how many of `one` there is room for at once; at least one."""
        rooms = (
            self.cores // one.cores if one.cores else None,
            self.memory_bytes // one.memory_bytes if one.memory_bytes else None,
            self.gpus // one.gpus if one.gpus else None,
        )
        return max(1, min((room for room in rooms if room is not None), default=1))


class Node(NamedTuple):
    """A machine that runs tasks: its name (empty: this one), what there is for them, and its GPUs by name."""

    name: str
    room: Amounts
    devices: Sequence[str] = ()


def count_cores(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many cores we may use."""
    told = [
        int(environment[name])
        for job, names in ALLOCATED.items()
        if job in environment
        for name in names
        if environment.get(name, "").isdigit()
    ]
    limits = [max(1, int(quota)) for quota in quotas(group_folders("cpu"))]
    return min([len(os.sched_getaffinity(0)), *limits, *told[:1]])


def measure_memory(environment: Mapping[str, str] = os.environ) -> int:
    """Return how many bytes of memory we may use."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    names = ("memory.max", "memory.limit_in_bytes")
    limits = [
        value for folder in group_folders("memory") for name in names for value in numbers(folder / name)
    ]
    return min([whole, *limits, *allocated_memory(environment)])


def allocated_memory(environment: Mapping[str, str]) -> Iterator[int]:
    """Yield how many bytes of this node an allocation of Slurm has; 0 there is all of them."""
    node, core = (environment.get(f"SLURM_MEM_PER_{what}", "") for what in ("NODE", "CPU"))
    cores = environment.get("SLURM_CPUS_ON_NODE", "")
    if node.isdigit() and int(node):
        yield int(node) << 20
    elif core.isdigit() and int(core) and cores.isdigit():
        yield (int(core) << 20) * int(cores)


def allocated_nodes(environment: Mapping[str, str] = os.environ) -> Mapping[str, int]:
    """Return the nodes of the allocation of Slurm that we are in, and how many cores it has on each; none: in none.

    >>> allocated_nodes({"SLURM_JOB_NODELIST": "a[01-02],b", "SLURM_JOB_CPUS_PER_NODE": "4(x2),8"})
    {'a01': 4, 'a02': 4, 'b': 8}
    """
    names = NODES.findall(environment.get("SLURM_JOB_NODELIST", ""))
    cores = CORES.findall(environment.get("SLURM_JOB_CPUS_PER_NODE", ""))
    nodes = [f"{head}{number}{tail}" for head, ranges, tail in names for number in numbered(ranges)]
    counts = [int(count) for count, times in cores for _ in range(int(times or 1))]
    return dict(zip(nodes, counts, strict=True)) if len(nodes) == len(counts) else {}


def numbered(ranges: str) -> Iterator[str]:
    """Yield the numbers in the brackets of a list of nodes, with their zeros; one empty text without brackets."""
    for part in ranges.strip("[]").split(","):
        first, _, last = part.partition("-")
        yield from (f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)) if last else [first]


def find_devices(environment: Mapping[str, str] = os.environ, folder: Path = DEVICES) -> Sequence[str]:
    """Return the GPUs that we may use, as `CUDA_VISIBLE_DEVICES` names them."""
    if given := devices_given(environment):
        return given
    if "CUDA_VISIBLE_DEVICES" in environment:  # empty: none
        return []
    found = (path.name.removeprefix("nvidia") for path in folder.glob("nvidia[0-9]*"))
    return [str(number) for number in sorted(int(name) for name in found if name.isdigit())]


def group_folders(controller: str, text: str | None = None, groups: Path = GROUPS) -> Iterator[Path]:
    """Yield the folders of our control group and of all above it, in either version of the interface.

    `text` is that of `/proc/self/cgroup` (cgroups(7)), which is read unless it is given.
    """
    if text is None:
        text = OWN_GROUPS.read_text(encoding="utf-8") if OWN_GROUPS.exists() else ""
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = groups / controller if controllers else groups
        own = top / path.lstrip("/")
        yield from (own, *(above for above in own.parents if above.is_relative_to(top)))


def quotas(folders: Iterable[Path]) -> Iterator[float]:
    """Yield how many cores' time each control group may use."""
    for folder in folders:
        pair = numbers(folder / "cpu.max") or (
            *numbers(folder / "cpu.cfs_quota_us"),
            *numbers(folder / "cpu.cfs_period_us"),
        )
        if len(pair) == 2:
            yield pair[0] / pair[1]


def numbers(path: Path) -> Sequence[int]:
    """Return the positive numbers in a file; none where it is not there, or says `max` or -1 first."""
    try:
        words = path.read_text(encoding="utf-8").split()
    except OSError:
        return ()
    return [int(word) for word in words if word.isdigit()] if words and words[0].isdigit() else ()
