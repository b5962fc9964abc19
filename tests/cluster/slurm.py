"""A real Slurm on this machine's loopback: pretended nodes, real jobs."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from tests.cluster import slurm_files
from tests.cluster.base import NODE_LETTERS, USER, Cluster
from tests.cluster.daemon import Daemon, is_named, kill_all, listens, wait_for
from tests.cluster.packages import Unavailable, need

CGROUPS = Path("/sys/fs/cgroup")

#: ends with its job, and tells how that ended
WATCHER = "slurmstepd"


@dataclass(frozen=True)
class Slurm(Cluster):
    """munge, slurmctld and one slurmd a node; with `accounting` also MariaDB and slurmdbd.

    Nodes are named by the cluster's letter and a number. Ports go from `base_port` to 100 + the number of nodes above
    it. With `cgroup` the kernel enforces memory limits, without it nobody does.
    """

    node_count: int = 4
    cpus: int = 8
    memory_mb: int = 4000
    gpus: int = 0
    accounting: bool = True
    cgroup: bool = True
    max_array_size: int = 1001
    min_job_age_s: int = 300
    slurmd_timeout_s: int = 10
    spank: tuple[str, ...] = ()

    @property
    def env(self) -> dict[str, str]:
        return {"SLURM_CONF": str(self.home / "etc/slurm.conf")}

    @property
    def nodes(self) -> list[str]:
        letter = NODE_LETTERS[self.home.name]
        return [f"{letter}{number}" for number in range(1, self.node_count + 1)]

    @property
    def controller_port(self) -> int:
        return self.base_port + 17

    @property
    def dbd_port(self) -> int:
        return self.base_port + 19

    @property
    def sql_port(self) -> int:
        return self.base_port + 6

    @property
    def node_port(self) -> int:
        return self.base_port + 101

    # Its daemons

    @property
    def munge(self) -> Daemon:
        folder = self.home / "munge"
        files = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        options = [f"--{option}={folder / name}" for option, name in files.items()]
        return self.daemon("munged", "munged", "--foreground", "--force", *options)

    @property
    def database(self) -> Daemon:
        folder = self.home / "database"
        return self.daemon(
            "mariadbd",
            "mariadbd",
            "--no-defaults",
            "--user=mysql",
            f"--datadir={folder / 'data'}",
            f"--socket={folder / 'socket'}",
            f"--pid-file={folder / 'pid'}",
            f"--init-file={self.home / 'etc/grants.sql'}",
            "--bind-address=127.0.0.1",
            f"--port={self.sql_port}",
            "--innodb-buffer-pool-size=64M",
            "--innodb-lock-wait-timeout=900",
            "--innodb-flush-log-at-trx-commit=0",
            "--performance-schema=OFF",
        )

    @property
    def dbd(self) -> Daemon:
        return self.daemon("slurmdbd", "slurmdbd", "-D")

    @property
    def controller(self) -> Daemon:
        return self.daemon("slurmctld", "slurmctld", "-D")

    def slurmd(self, node: str) -> Daemon:
        # Whatever runs on a node inherits its name.
        return self.daemon(f"slurmd-{node}", "slurmd", "-D", "-N", node, SLURMD_NODENAME=node)

    # Up and down

    def prepare(self) -> None:
        need("slurm", *(["accounting"] if self.accounting else []))
        if self.cgroup and not os.access(CGROUPS / "memory/cgroup.procs", os.W_OK):
            raise Unavailable(
                "Slurm's memory limits need cgroup v1's controllers, writable, in /sys/fs/cgroup"
            )
        super().prepare()
        slurm_files.write(self)
        slurm_files.munge_key(self.home / "munge/key")
        for node in self.nodes:
            (self.home / "spool" / node).mkdir(parents=True, exist_ok=True)

    def start(self) -> None:
        if self.accounting:
            self.make_database()
            self.database.start()
        self.munge.start()
        self.munge.wait_until((self.home / "munge/socket").is_socket)
        if self.accounting:
            self.database.wait_until(partial(listens, self.sql_port))
            self.start_dbd()
        self.start_controller()
        for node in self.nodes:
            self.slurmd(node).start()
        self.wait_for_nodes()

    def make_database(self) -> None:
        data = self.home / "database/data"
        if (data / "mysql").is_dir():
            return
        data.parent.mkdir(exist_ok=True)
        shutil.chown(data.parent, "mysql")
        options = ("--user=mysql", f"--datadir={data}", "--auth-root-authentication-method=normal")
        self.ask("mariadb-install-db", "--no-defaults", *options, "--skip-test-db")

    def stop(self) -> None:
        self.stop_controller()
        self.kill_nodes(*self.nodes)
        for node in self.nodes:
            wait_for(partial(without_cgroups, node), f"the cgroups of {node} are still in use", 10.0)
        for daemon in (self.dbd, self.database, self.munge):
            daemon.stop()

    def cancel_all(self) -> None:
        for user in (USER, "root"):
            self.ask("scancel", f"--user={user}")

    # What may happen to it

    def start_dbd(self) -> None:
        self.dbd.start()
        self.dbd.wait_until(partial(listens, self.dbd_port))

    def stop_dbd(self) -> None:
        self.dbd.stop()

    def start_controller(self) -> None:
        self.controller.start()
        self.controller.wait_until(self.controller_answers)

    def controller_answers(self) -> bool:
        return listens(self.controller_port) and "is UP" in self.run("scontrol", "ping").stdout

    def stop_controller(self) -> None:
        self.controller.stop()

    def kill_controller(self) -> None:
        self.controller.kill()

    def start_node(self, node: str) -> None:
        self.slurmd(node).start()
        self.wait_for_nodes()

    def stop_slurmd(self, node: str) -> None:
        """End only a node's daemon, as an update does: its jobs go on."""
        self.slurmd(node).stop()

    def kill_node(self, node: str) -> None:
        """Let a machine die: its daemon and all that runs on it, at once."""
        self.kill_nodes(node)

    def kill_nodes(self, *nodes: str) -> None:
        for node in nodes:
            self.slurmd(node).kill()
        kill_all(partial(self.processes_on, *nodes), WATCHER)

    def processes_on(self, *nodes: str) -> Iterator[psutil.Process]:
        """Yield all that runs on some nodes: their daemons, the watchers of jobs, the jobs."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if self.place_of(process) in nodes:
                    yield process

    def place_of(self, process: psutil.Process) -> str | None:
        """Return the node of this cluster that a process runs on."""
        env = process.environ()
        if self.env.items() <= env.items():
            return env.get("SLURMD_NODENAME")
        if not is_named(process, WATCHER):
            return None
        # It hides its environment behind its title, but has a socket in its node's folder.
        sockets = [Path(socket.laddr) for socket in process.net_connections("unix") if socket.laddr]
        return next((path.parent.name for path in sockets if path.parent.parent == self.home / "spool"), None)

    def wait_for_nodes(self) -> None:
        """Wait until jobs may start on each node whose daemon lives."""
        living = {node for node in self.nodes if self.slurmd(node).process}
        wait_for(lambda: all(self.is_ready(node) for node in living), "not all nodes are ready")

    def is_ready(self, node: str) -> bool:
        return self.state_of(node) in ("idle", "mixed", "allocated", "completing")

    def state_of(self, node: str) -> str:
        """Return a node's state in Slurm's words; a star at its end: it does not answer."""
        return self.ask("sinfo", "--noheader", f"--nodes={node}", "--partition=main", "--format=%T").strip()


def without_cgroups(node: str) -> bool:
    """Remove what a killed node leaves in the kernel, and tell whether it is gone."""
    tops = list(CGROUPS.glob(f"*/slurm_{node}"))
    for top in tops:
        for folder in (*sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True), top):
            with contextlib.suppress(OSError):
                folder.rmdir()
    return not any(top.exists() for top in tops)
