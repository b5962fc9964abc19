"""The host that shares nothing with this one is that, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from tests.cluster.daemon import wait_for
from tests.far.rig import CODE, Rig
from tests.sshd import HOST

KEEP = """
import sys, time
from pathlib import Path
from tests.far.rig import Rig
rig = Rig(Path(sys.argv[1])).up()
print(rig.link, rig.first.pid, flush=True)
time.sleep(600)
"""


def links() -> set[str]:
    return {name for _, name in socket.if_nameindex()}


def test_nothing_of_here_is_seen_there_and_nothing_there_can_change_us(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    assert rig.run("hostname").stdout.strip() == HOST
    for path in (tmp_path / "here", CODE / "pyproject.toml", Path(sys.executable)):
        assert rig.run("ls", str(path), check=False).returncode != 0, path
    assert rig.run("touch", "/etc/changed", check=False).returncode != 0
    assert rig.run("touch", "/mnt/changed", check=False).returncode != 0
    assert rig.run("ls", "/proc/1/exe").returncode == 0
    assert str(os.getpid()) not in rig.run("ls", "/proc").stdout.split()


def test_its_files_are_reached_from_here(rig: Rig) -> None:
    rig.run("sh", "-c", "echo there > ~/file")
    assert rig.path("~/file").read_text() == "there\n"
    rig.path("~/other").write_text("here")
    assert rig.run("cat", str(rig.there / "other")).stdout == "here"


def test_its_network_leads_here_alone_and_the_cable_can_be_pulled(rig: Rig) -> None:
    socket.create_connection((rig.address, rig.port), 2).close()
    rig.pull()
    with pytest.raises(OSError, match=r"timed out|route"):
        socket.create_connection((rig.address, rig.port), 0.5)
    rig.plug()
    socket.create_connection((rig.address, rig.port), 5).close()


def test_a_killed_server_can_be_started_again(rig: Rig) -> None:
    rig.kill_sshd()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((rig.address, rig.port), 2)
    rig.start_sshd()
    socket.create_connection((rig.address, rig.port), 2).close()


def test_nothing_is_left_when_it_is_down(rig: Rig) -> None:
    rig.run("sh", "-c", "sleep 600 >/dev/null 2>&1 &")
    (left,) = rig.living()
    rig.down()
    wait_for(lambda: not left.is_running() and rig.link not in links(), "its process and its link go")


def test_nothing_is_left_when_its_owner_is_killed(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    argv = [sys.executable, "-c", KEEP, str(tmp_path / "other")]
    with subprocess.Popen(argv, cwd=CODE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        link, first = owner.stdout.readline().split()
        assert link in links()
        owner.send_signal(signal.SIGKILL)
    wait_for(lambda: not psutil.pid_exists(int(first)) and link not in links(), "all of it goes")


def test_a_slurm_of_its_own_runs_jobs_there(rig_slurm: Rig) -> None:
    env = dict(rig_slurm.environment)
    done = rig_slurm.run("srun", "hostname", env=env, timeout=60)
    assert done.stdout.strip() == HOST
