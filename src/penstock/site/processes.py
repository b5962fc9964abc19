"""Runners of this machine: detached processes, known by pid and start time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from penstock.disk import private
from penstock.host import Process, boot_id, hostname, space_id, start_time
from penstock.runner.orphans import end_orphans


def start(argv: Sequence[str], words: Path, *, cwd: Path, environment: Mapping[str, str]) -> str:
    """Start a process that outlives us and our terminal; return its native id, `pid.start.boot.space`."""
    with open(words, "ab", opener=private) as log:
        process = subprocess.Popen(
            argv,
            cwd=cwd,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    CHILDREN[process.pid] = process
    return f"{process.pid}.{start_time(process.pid) or ''}.{boot_id()}.{space_id()}"


#: our own children must be waited for, or they stay as zombies
CHILDREN: dict[int, subprocess.Popen[bytes]] = {}


def alive(native: str) -> bool:
    """Whether the process with that native id still runs, as far as can be seen from here."""
    process = process_of(native)
    child = CHILDREN.get(process.pid)
    if child is not None and child.poll() is not None:
        del CHILDREN[process.pid]
    return not process.dead


def seen(native: str) -> bool:
    """Whether it is visible from here if the process with that native id still runs."""
    return process_of(native).seen_from(hostname())


def process_of(native: str) -> Process:
    """Return the process that a native id names."""
    pid, started, boot, *space = native.partition("@")[0].split(".")
    return Process(hostname(), boot, int(pid), started, space[0] if space else None)


def step_argv(node: str, cores: int) -> list[str]:
    """Return what starts a command on another node of the allocation that we are in, beside others there.

    Steps may overlap, and have all the cores and memory that the allocation has: it is known here what fits together.
    """
    return [
        "srun", "--nodes=1", "--ntasks=1", "--overlap", "--mem=0", "--cpu-bind=none", "--input=none", "--quiet",
        f"--cpus-per-task={cores}", f"--nodelist={node}",
    ]  # fmt: skip


def on_node(native: str, node: str) -> str:
    """Return the native id of a runner that was started on a node."""
    return f"{native}@{node}" if node else native


def node_named(native: str) -> str:
    """Return the node where the runner with that native id was started; empty: this machine."""
    return native.partition("@")[2]


def ask_to_end(native: str) -> None:
    """Ask a runner to start nothing more and to give back the rest; `srun` hands on this signal, and ends all by the other."""
    if alive(native) and seen(native):
        os.kill(int(native.partition(".")[0]), signal.SIGUSR1 if node_named(native) else signal.SIGTERM)


def end_leftovers(token: str) -> None:
    """End what a dead runner's tasks left running, and wait for it (RULES 19)."""
    end_orphans(f"{token}/1/1")


def runner_argv(pyz: Path, folder: Path, python: str | None) -> list[str]:
    """Return the command that runs the one element of a local job; names are UTF-8 there, too, whatever the locale says."""
    return [python or sys.executable, "-X", "utf8", str(pyz), str(folder)]
