"""The files of a Slurm that all runs on this machine."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.cluster.slurm import Slurm


def write(cluster: Slurm) -> None:
    """Write all of them into the cluster's folder."""
    etc = cluster.home / "etc"
    (etc / "slurm.conf").write_text("\n".join(lines(cluster)) + "\n")
    (etc / "cgroup.conf").write_text(CGROUP_CONF)
    (etc / "gres.conf").write_text("".join(gpu_lines(cluster)))
    for number in range(cluster.gpus):
        (cluster.home / f"gpu{number}").touch()
    (etc / "plugstack.conf").write_text("".join(f"required {plugin}\n" for plugin in cluster.spank))
    if cluster.accounting:
        ports = {"port": cluster.dbd_port, "sql": cluster.sql_port}
        secret(etc / "slurmdbd.conf", SLURMDBD_CONF.format(home=cluster.home, **ports).encode())
        (etc / "grants.sql").write_text(GRANTS)


def secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, or the daemons refuse it; one that is there is kept."""
    if not path.exists():
        path.touch(0o600)
        path.write_bytes(content)


def munge_key(path: Path) -> None:
    path.parent.mkdir(mode=0o711, exist_ok=True)
    secret(path, os.urandom(128))


def gpu_lines(cluster: Slurm) -> Iterator[str]:
    """Yield the lines of gres.conf: files that are there stand for the GPUs, as nobody opens them."""
    for node in cluster.nodes if cluster.gpus else ():
        yield f"NodeName={node} Name=gpu Type=pretended File=/dev/tty[0-{cluster.gpus - 1}]\n"


def lines(cluster: Slurm) -> Iterator[str]:
    """Yield the lines of slurm.conf."""
    host = socket.gethostname().split(".")[0]
    kind = "cgroup" if cluster.cgroup else "none"
    yield SLURM_CONF.format(home=cluster.home)
    yield f"SlurmctldHost={host}(127.0.0.1)"
    yield f"SlurmctldPort={cluster.controller_port}"
    yield f"SlurmdTimeout={cluster.slurmd_timeout_s}"
    yield f"MinJobAge={cluster.min_job_age_s}"
    yield f"MaxArraySize={cluster.max_array_size}"
    yield f"TaskPlugin=task/{kind}"
    yield f"ProctrackType=proctrack/{'cgroup' if cluster.cgroup else 'linuxproc'}"
    if cluster.accounting:
        yield ACCOUNTING.format(home=cluster.home, port=cluster.dbd_port)
    gpus = f" Gres=gpu:pretended:{cluster.gpus}" if cluster.gpus else ""
    if gpus:
        yield "GresTypes=gpu"
    for number, node in enumerate(cluster.nodes):
        yield (
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={cluster.node_port + number}"
            f" CPUs={cluster.cpus} RealMemory={cluster.memory_mb}{gpus}"
        )
    yield "PartitionName=main Nodes=ALL Default=YES DefaultTime=60 MaxTime=INFINITE"
    yield "PartitionName=short Nodes=ALL DefaultTime=1 MaxTime=1"


# A requeued job waits for as long as a credential lives, which is 2 minutes unless told.
SLURM_CONF = """\
ClusterName=penstock
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={home}/munge/socket,cred_expire=10
StateSaveLocation={home}/state
SlurmdSpoolDir={home}/spool/%n
SlurmctldPidFile={home}/run/slurmctld.pid
SlurmdPidFile={home}/run/slurmd-%n.pid
SlurmctldLogFile={home}/log/slurmctld.log
SlurmdLogFile={home}/log/slurmd-%n.log
MailProg=/bin/true
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
ReturnToService=2
SlurmctldTimeout=30
TCPTimeout=2
MessageTimeout=5
KillWait=3
MaxJobCount=50000
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1,default_queue_depth=1000
SlurmdParameters=config_overrides"""

# AuthInfo does not reach as far as slurmdbd: the socket is told again.
ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={home}/munge/socket
AccountingStoreFlags=job_comment"""

CGROUP_CONF = """\
CgroupPlugin=cgroup/v1
CgroupMountpoint=/sys/fs/cgroup
ConstrainRAMSpace=yes
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={home}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
LogFile={home}/log/slurmdbd.log
PidFile={home}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={sql}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
CommitDelay=1
"""

GRANTS = """\
CREATE DATABASE IF NOT EXISTS slurm;
CREATE USER IF NOT EXISTS 'slurm'@'127.0.0.1' IDENTIFIED BY 'slurm';
GRANT ALL ON slurm.* TO 'slurm'@'127.0.0.1';
"""
