"""This machine: job folders beside the campaign, runners as detached processes that are fed batch by batch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from penstock.campaign import Site
from penstock.errors import SubmitRejected
from penstock.hardware import (
    Amounts,
    Node,
    allocated_memory,
    allocated_nodes,
    count_cores,
    find_devices,
    measure_memory,
)
from penstock.ledger import FOLDER
from penstock.runner.errors import CROWDED
from penstock.runner.share import THREADS
from penstock.site import processes
from penstock.site.folders import TASKS, WORDS, JobFolders, writing
from penstock.site.script import runner_words
from penstock.transports.local import LocalTransport

MOST_BYTES = 1 << 60  # of memory, where an allocation does not limit it
ON_NODE = "SLURM_CPUS_ON_NODE"


def remedy_for(error: OSError) -> str:
    """Say why a runner could not be started, and what to mend."""
    if why := CROWDED.get(error.errno or 0):
        return f"{why}: lower the site's `cores` or raise the limit, and run the same command again"
    return f"{error.strerror}: correct its `python` or `container`"


class LocalSite(JobFolders):
    """This machine."""

    def __init__(self, site: Site, root: Path) -> None:
        self.here = LocalTransport((site.workdir or root / FOLDER) / "jobs")
        super().__init__(self.here, root)
        self.site = site
        self.nodes: Sequence[Node] = find_nodes(site)

    @property
    def name(self) -> str:
        """The name that the definition gives it."""
        return self.site.name

    def environment(self) -> Mapping[str, str]:
        """Return what is set for every task."""
        return self.site.environment

    def start(self, token: str, node: str = "") -> str:
        """Start the runner of a placed job on a node, and return its native id."""
        folder = self.job_folder(token)
        ours = {name: value for name, value in os.environ.items() if name not in THREADS}
        environment = {**ours, **self.site.environment, "PENSTOCK": f"{token}/1/1"}
        argv = self.runner_argv(self.put_runner(), folder)
        cores = next(one.room.cores for one in self.nodes if one.name == node)
        argv = [*processes.step_argv(node, cores), *argv] if node else argv
        try:
            native = processes.start(argv, folder / WORDS, cwd=self.root, environment=environment)
            return processes.on_node(native, node)
        except OSError as error:
            raise SubmitRejected(
                f"site '{self.name}': no runner can be started with {argv[0]}, {remedy_for(error)}"
            ) from error

    def runner_argv(self, runner: Path, folder: Path) -> list[str]:
        """Return the command that starts the runner of a job, within the site's container if it has one."""
        if self.site.container:
            return runner_words(self.site, self.root, folder, runner)
        return processes.runner_argv(runner, folder, self.site.python)

    def feed(self, token: str, data: bytes) -> None:
        """Give more batches to a running job."""
        with writing(self.job_folder(token)):
            self.here.append(f"{token}/{TASKS}", data)

    def close_feed(self, token: str, batches: int) -> None:
        """Tell a job how many batches it will get in all."""
        self.place(token, {"closed": str(batches).encode()})

    def alive(self, native: str) -> bool:
        """Whether a job that was started still runs."""
        return processes.alive(native)

    def sees(self, native: str) -> bool:
        """Whether it is visible from here if a job still runs."""
        return processes.seen(native)

    def ask_to_end(self, native: str) -> None:
        """Ask a job to start nothing more and to return the rest."""
        processes.ask_to_end(native)

    def end_leftovers(self, token: str) -> None:
        """End what a dead runner's tasks left running."""
        processes.end_leftovers(token)


def find_nodes(site: Site) -> Sequence[Node]:
    """Return this machine, or the nodes of the allocation in which penstock was started."""
    allocated, here = allocated_nodes(), os.environ.get("SLURMD_NODENAME")
    if not allocated or [*allocated] == [here]:
        return [this_node(site)]
    gpus = [str(number) for number in range(site.gpus or 0)]
    nodes = [this_node(site)] if here in allocated else []
    for name, cores in allocated.items():
        memory = min(
            [site.memory_bytes or MOST_BYTES, *allocated_memory({**os.environ, ON_NODE: str(cores)})]
        )
        if name != here:
            nodes.append(Node(name, Amounts(min(cores, site.cores or cores), memory, len(gpus)), gpus))
    return nodes


def this_node(site: Site) -> Node:
    """Return this machine, with as much of it as the site says, or as we may use."""
    devices = list(find_devices())
    if site.gpus is not None:
        devices = devices[: site.gpus] if len(devices) >= site.gpus else [str(n) for n in range(site.gpus)]
    room = Amounts(site.cores or count_cores(), site.memory_bytes or measure_memory(), len(devices))
    return Node("", room, devices)
