"""Who we are: the element, the job's id at the scheduler, the process."""

import os
import re
from typing import Mapping, Optional

JOB, ELEMENT = "PENSTOCK_JOB", "PENSTOCK_ELEMENT"  # where our own spool is the scheduler
# The scheduler's array index, and what it holds outside an array.
INDEX_VARIABLES = {
    ELEMENT: "",
    "SLURM_ARRAY_TASK_ID": "",
    "PBS_ARRAY_INDEX": "",
    "PBS_ARRAYID": "",
    "SGE_TASK_ID": "undefined",
    "LSB_JOBINDEX": "0",
}
NATIVE_VARIABLES = ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_ID", "PBS_JOBID", "JOB_ID", "LSB_JOBID")


def find_element(given: Optional[int], environ: Mapping[str, str], elements: int) -> Optional[int]:
    """Return our index in the array, or None when it is unknown."""
    if given is None and elements == 1:
        return 1  # an index would be that of an array in which penstock itself runs
    element = given if given is not None else _index(environ)
    return element if element is not None and 1 <= element <= elements else None


def _index(environ: Mapping[str, str]) -> Optional[int]:
    for name, outside in INDEX_VARIABLES.items():
        text = environ.get(name, "")
        if text.isdigit() and text != outside:
            return int(text)
    return None


def find_native(given: Optional[str], environ: Mapping[str, str]) -> str:
    """Return the job's id at the scheduler without its array part; else pid and start time."""
    if given or environ.get(JOB):
        return given or environ[JOB]
    for name in NATIVE_VARIABLES:
        if environ.get(name):
            return strip_index(environ[name])
    return "{}.{}".format(os.getpid(), start_ticks(os.getpid()))


def strip_index(native: str) -> str:
    """Drop the array part of a job's id.

    >>> strip_index("1234[7].server"), strip_index("1234-7.server"), strip_index("1234")
    ('1234.server', '1234.server', '1234')
    """
    return re.sub(r"^(\d+)(?:\[[^\]]*\]|-\d+)", r"\1", native)


def start_ticks(pid: int) -> Optional[str]:
    """Return when a process of this host started (field 22 of /proc/PID/stat); None: it does not exist."""
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return fields[19].decode("ascii")


def parent_of(pid: int) -> Optional[int]:
    """Return the parent of a process of this host; None: it does not exist."""
    try:
        with open("/proc/{}/stat".format(pid), "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except OSError:
        return None


def boot_id() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def space_id() -> str:
    """Return the process namespace that we are in: a pid means nothing in another one."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""


def runner_digest(program: str) -> Optional[str]:
    """Return the digest in the name of `runner-<sha256>.pyz`."""
    found = re.match(r"runner-([0-9a-f]{64})\.pyz$", os.path.basename(program))
    return found.group(1) if found else None
