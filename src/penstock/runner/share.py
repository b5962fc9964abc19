"""A slot's share of its node: how many threads libraries start there, and which devices they see."""

import os
from typing import Dict, List, Mapping, Sequence, Tuple

from .spec import Job, Stage
from .work import Work

#: what libraries read when they are loaded: unless told otherwise each of them takes all cores of the node
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
VISIBLE = "CUDA_VISIBLE_DEVICES"
#: where schedulers say which devices a job has; the first that is set counts
GIVEN = (VISIBLE, "SLURM_STEP_GPUS", "SLURM_JOB_GPUS")
LISTED = (
    "PBS_GPUFILE"  # Torque sets no other: a file with a line for each device of the job, on all its nodes
)


class Shares:
    """The shares of all slots, each worked out once."""

    def __init__(self, job: Job) -> None:
        self._given = dict(os.environ, **job.spec.environment)
        self._known: Dict[Tuple[str, int, Tuple[str, ...]], Dict[str, str]] = {}

    def of(self, work: Work, slot: int) -> Dict[str, str]:
        """Return the variables for a task in a slot."""
        stage, devices = work.stage, work.batch.devices
        share = self._known.get((stage.name, slot, devices))
        if share is None:
            share = share_of(stage, slot, self._given, devices)
            self._known[stage.name, slot, devices] = share
        return share


def share_of(
    stage: Stage, slot: int, given: Mapping[str, str], devices: Sequence[str] = ()
) -> Dict[str, str]:
    """Return the variables for a slot's attempts of a stage, without those that the job (`given`) or the stage sets.

    `devices` are those of the batch; without them, those that the scheduler gave to the job.
    """
    share = {}
    if stage.cpus:
        share = {name: str(stage.cpus) for name in THREADS if name not in given}
    mine = devices_of_slot(devices or devices_given(given), slot, stage.gpus)
    if mine:
        share[VISIBLE] = ",".join(mine)
    share.update((name, value) for name, value in stage.environment.items() if name in THREADS)
    return share


def devices_of_slot(devices: Sequence[str], slot: int, count: int) -> List[str]:
    """Return the devices of one slot, `count` each; none when there are too few, which then all slots see.

    >>> devices_of_slot(["4", "5", "6", "7"], 2, 2)
    ['6', '7']
    """
    mine = list(devices[(slot - 1) * count : slot * count])
    return mine if len(mine) == count else []


def devices_given(given: Mapping[str, str]) -> List[str]:
    """Return the devices that a scheduler gave to the job, as it names them.

    >>> devices_given({"SLURM_JOB_GPUS": "0-2,5"})
    ['0', '1', '2', '5']
    """
    for name in GIVEN:
        if given.get(name):
            return [device for part in given[name].split(",") for device in _spread(part.strip())]
    if VISIBLE in given or not given.get(LISTED):
        return []
    try:
        with open(given[LISTED], encoding="utf-8", errors="replace") as file:
            return devices_listed(file.read(), os.uname().nodename)
    except OSError:
        return []


def devices_listed(text: str, host: str) -> List[str]:
    """Return the devices of a host in a list of Torque's.

    >>> devices_listed("gpu-a-gpu1\\ngpu-b-gpu0\\ngpu-a-gpu3\\n", "gpu-a.cluster")
    ['1', '3']
    """
    lines = [line.strip().rpartition("-gpu") for line in text.splitlines()]
    own = host.partition(".")[0]
    return [device for name, _, device in lines if device.isdigit() and name.partition(".")[0] == own]


def _spread(part: str) -> List[str]:
    first, dash, last = part.partition("-")
    if dash and first.isdigit() and last.isdigit():
        return [str(number) for number in range(int(first), int(last) + 1)]
    return [part] if part else []
