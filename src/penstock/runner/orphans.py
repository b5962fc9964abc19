"""Processes that outlived their runner, found by the mark in their environment."""

import os
import signal
import time
from typing import List

TASK = "PENSTOCK_TASK"  # in the environment of a task's processes: <token>/<element>/<life>/<slot>


def find_orphans(mark: str) -> List[int]:
    """Return the processes of this host and user that carry PENSTOCK=`mark`."""
    wanted = os.fsencode("PENSTOCK=" + mark)
    return [pid for pid in list_processes() if pid != os.getpid() and wanted in _environment(pid)]


def read_mark(pid: int, name: str) -> str:
    """Return a variable of the environment that a process was started with; empty when it shows none."""
    head = os.fsencode(name + "=")
    texts = [text[len(head) :] for text in _environment(pid) if text.startswith(head)]
    return os.fsdecode(texts[0]) if texts else ""


def end_orphans(mark: str, seconds: float = 5.0) -> bool:
    """Kill the processes that carry the mark and wait until they are gone; False: some are still there."""
    until = time.monotonic() + seconds
    while True:
        orphans = find_orphans(mark)
        if not orphans or time.monotonic() > until:
            return not orphans
        for pid in orphans:
            _kill(pid)
        time.sleep(0.02)


def list_processes() -> List[int]:
    """Return the processes of this host that we may see."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _environment(pid: int) -> List[bytes]:
    try:
        with open("/proc/{}/environ".format(pid), "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError:
        return
