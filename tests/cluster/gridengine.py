"""A real Son of Grid Engine on this machine's loopback, in a cell of its own."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.cluster.base import Cluster
from tests.cluster.daemon import Daemon, is_named, kill_all
from tests.cluster.packages import Unavailable, need

PROGRAMS = Path("/usr/lib/gridengine")
SHARED = Path("/usr/share/gridengine")

#: ends with its job, and tells how that ended
WATCHER = "sge_shepherd"


@dataclass(frozen=True)
class GridEngine(Cluster):
    """sge_qmaster and one sge_execd; a job may ask for slots with `-pe smp`.

    It takes `base_port` and the port above it. The queue `all.q` has no time limit, `short.q` has 30 seconds.
    """

    slots: int = 16
    max_unheard_s: int = 15

    @property
    def env(self) -> dict[str, str]:
        return {
            "SGE_ROOT": str(self.root),
            "SGE_CELL": "default",
            "SGE_QMASTER_PORT": str(self.base_port),
            "SGE_EXECD_PORT": str(self.base_port + 1),
        }

    @property
    def root(self) -> Path:
        return self.home / "root"

    @property
    def qmaster(self) -> Daemon:
        return self.daemon("sge_qmaster", "sge_qmaster", SGE_ND="1", LD_LIBRARY_PATH=str(PROGRAMS))

    @property
    def execd(self) -> Daemon:
        return self.daemon("sge_execd", "sge_execd", SGE_ND="1")

    # Up and down

    def prepare(self) -> None:
        need("gridengine")
        if not resolves(socket.gethostname()):
            raise Unavailable(
                f"Grid Engine must find this machine by name; add {socket.gethostname()} to /etc/hosts"
            )
        super().prepare()
        if not (self.home / "spool/db/sge").exists():
            self.make_cell()

    def make_cell(self) -> None:
        """Write a cell from nothing, as the package's own script would for /var/lib/gridengine."""
        common, host = self.root / "default/common", socket.gethostname()
        for folder in (common, *(self.home / "spool" / name for name in ("db", "qmaster", "execd"))):
            folder.mkdir(parents=True, exist_ok=True)
        for name in ("bin/lx-amd64", "utilbin/lx-amd64"):
            (self.root / name).parent.mkdir(exist_ok=True)
            (self.root / name).symlink_to(PROGRAMS)
        (self.root / "util").symlink_to(SHARED / "util")
        (common / "act_qmaster").write_text(f"{host}\n")
        # A connection from 127.0.0.1 comes from `localhost`, which would be neither submit nor admin host.
        (common / "host_aliases").write_text(
            f"{' '.join(dict.fromkeys((host, 'localhost', *names_of_loopback())))}\n"
        )
        (common / "bootstrap").write_text(BOOTSTRAP.format(home=self.home))
        self.ask(str(PROGRAMS / "spoolinit"), "berkeleydb", "libspoolb", str(self.home / "spool/db"), "init")
        self.fill(host)

    def fill(self, host: str) -> None:
        etc = self.home / "etc"
        usual = (SHARED / "default-configuration").read_text()
        (etc / "configuration").write_text(changed(usual, self.configuration()))
        (etc / "queues").mkdir(exist_ok=True)
        for queue, limit in (("all.q", "INFINITY"), ("short.q", "00:00:30")):
            (etc / "queues" / queue).write_text(
                QUEUE.format(name=queue, host=host, slots=self.slots, limit=limit)
            )
        for name in ("pes", "hosts"):
            (etc / name).mkdir(exist_ok=True)
        (etc / "hosts" / host).write_text(HOST.format(host=host))
        shutil.copy(SHARED / "util/resources/pe/smp", etc / "pes")
        self.spool("configuration", etc / "configuration")
        self.spool("complexes", SHARED / "util/resources/centry")
        self.spool("usersets", SHARED / "util/resources/usersets")
        self.spool("managers", "root")
        self.spool("exechosts", etc / "hosts")
        self.spool("pes", etc / "pes")

    def spool(self, kind: str, what: Path | str) -> None:
        self.ask(str(PROGRAMS / "spooldefaults"), kind, str(what))

    def configuration(self) -> dict[str, str]:
        return {
            "execd_spool_dir": str(self.home / "spool/execd"),
            "mailer": "/bin/true",
            "shell_start_mode": "unix_behavior",
            "min_uid": "0",
            "min_gid": "0",
            "load_report_time": "00:00:05",
            "max_unheard": f"00:{self.max_unheard_s // 60:02d}:{self.max_unheard_s % 60:02d}",
            # Accounting is on disk as soon as a job has left the queue.
            "reporting_params": "accounting=true reporting=false flush_time=00:00:01 accounting_flush_time=00:00:00",
            "gid_range": "64000-64100",
        }

    def start(self) -> None:
        self.start_master()
        self.start_execd()

    def stop(self) -> None:
        self.kill_node()
        # Asked nicely it takes ten seconds.
        self.kill_master()

    def cancel_all(self) -> None:
        # It ends with 1 when there is nothing.
        self.run("qdel", "-u", "*", user="root")

    def furnish(self) -> None:
        """Make what only a living qmaster can make."""
        etc = self.home / "etc"
        (etc / "scheduler").write_text(changed(self.ask("qconf", "-ssconf"), SCHEDULER))
        self.ask("qconf", "-Msconf", str(etc / "scheduler"))
        self.ask("qconf", "-as", socket.gethostname())
        for queue in sorted((etc / "queues").iterdir()):
            self.ask("qconf", "-Aq", str(queue))

    # What may happen to it

    def start_master(self) -> None:
        if self.qmaster.process:
            self.qmaster.thaw()
            return
        # It would look for the new one only once a minute; its jobs go on without it.
        self.execd.stop()
        self.qmaster.start()
        self.qmaster.wait_until(lambda: not self.run("qconf", "-sh").returncode)
        if not self.run("qconf", "-sql").stdout.strip():
            self.furnish()

    def stop_master(self) -> None:
        self.qmaster.stop()

    def kill_master(self) -> None:
        """Kill it with kill -9; it may give the last ids out again."""
        self.qmaster.kill()

    def start_execd(self) -> None:
        """Start what runs the jobs, and wait until its queues are open."""
        self.execd.start()
        self.execd.wait_until(self.queues_are_open)

    def queues_are_open(self) -> bool:
        states = set(self.queue_states().values())
        if "E" in "".join(states):
            # A job that died with its host has put its queue in error, which only an administrator ends.
            self.run("qmod", "-cq", "*", user="root")
        return states == {""}

    def stop_execd(self) -> None:
        """End only the daemon, as an update does: jobs go on."""
        self.execd.stop()

    def kill_node(self) -> None:
        """Let the machine that runs the jobs die: the daemon and all jobs, at once."""
        self.execd.kill()
        kill_all(self.processes_of_jobs, WATCHER)

    def processes_of_jobs(self) -> Iterator[psutil.Process]:
        """Yield the shepherds of jobs and all that runs in the jobs."""
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                place = (
                    process.cwd()
                    if is_named(process, WATCHER)
                    else process.environ().get("SGE_JOB_SPOOL_DIR", "")
                )
                if place.startswith(f"{self.home}/"):
                    yield process

    def queue_states(self) -> dict[str, str]:
        """Return the letters of Grid Engine for each queue on a host; none: all is well, `u`: not heard of."""
        lines = [line.split() for line in self.ask("qstat", "-f").splitlines() if "@" in line]
        return {words[0]: "".join(words[5:]) if words[4] != "-NA-" else "" for words in lines}


def changed(usual: str, values: Mapping[str, str]) -> str:
    """Return a configuration with other values."""
    for name, value in values.items():
        usual = re.sub(rf"^{name}\s.*", f"{name} {value}", usual, flags=re.MULTILINE)
    return usual


def resolves(host: str) -> bool:
    try:
        socket.gethostbyname(host)
    except OSError:
        return False
    return True


def names_of_loopback() -> list[str]:
    name, others, _ = socket.gethostbyaddr("127.0.0.1")
    return [name, *others]


BOOTSTRAP = """\
admin_user root
default_domain none
ignore_fqdn false
spooling_method berkeleydb
spooling_lib libspoolb
spooling_params {home}/spool/db
binary_path /usr/sbin
qmaster_spool_dir {home}/spool/qmaster
security_mode none
listener_threads 2
worker_threads 2
scheduler_threads 1
"""

SCHEDULER = {
    "schedule_interval": "0:0:1",
    "flush_submit_sec": "1",
    "flush_finish_sec": "1",
    "schedd_job_info": "true",
}

HOST = """\
hostname {host}
load_scaling NONE
complex_values NONE
user_lists NONE
xuser_lists NONE
projects NONE
xprojects NONE
usage_scaling NONE
report_variables NONE
"""

QUEUE = """\
qname {name}
hostlist {host}
seq_no 0
load_thresholds NONE
suspend_thresholds NONE
nsuspend 1
suspend_interval 00:05:00
priority 0
min_cpu_interval 00:05:00
processors UNDEFINED
qtype BATCH INTERACTIVE
ckpt_list NONE
pe_list smp
rerun FALSE
slots {slots}
tmpdir /tmp
shell /bin/sh
prolog NONE
epilog NONE
shell_start_mode unix_behavior
starter_method NONE
suspend_method NONE
resume_method NONE
terminate_method NONE
notify 00:00:05
owner_list NONE
user_lists NONE
xuser_lists NONE
subordinate_list NONE
complex_values NONE
projects NONE
xprojects NONE
calendar NONE
initial_state default
s_rt INFINITY
h_rt {limit}
s_cpu INFINITY
h_cpu INFINITY
s_fsize INFINITY
h_fsize INFINITY
s_data INFINITY
h_data INFINITY
s_stack INFINITY
h_stack INFINITY
s_core INFINITY
h_core INFINITY
s_rss INFINITY
h_rss INFINITY
s_vmem INFINITY
h_vmem INFINITY
"""
