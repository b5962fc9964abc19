"""A host that shares nothing with this machine but the kernel, at the other end of a cable that can be pulled.

The fixture `rig` (tests/far/conftest.py) is one, with a real sshd:

    def test_something(rig: Rig, lab_at: Callable[[Rig], Lab]) -> None:
        lab = lab_at(rig).define(STAGES, units=20, site='workdir = "~/penstock"')   # scheduler "local" there
        lab.login()                       # `penstock site login far`, with rig.config as ~/.ssh/config
        conductor = lab.start()           # `penstock run` here
        rig.pull()                        # packets vanish, as when a cable is out; no connection is told
        rig.plug()
        rig.kill_sshd()                   # kill -9 of the server and all its sessions; jobs go on
        rig.start_sshd()
        rig.run("find", "/", "-xdev", "-name", "*.npz")     # a command there
        rig.path("~/penstock").rglob("*") # its files, read or written from here
        rig.living()                      # what runs there, without sshd

It has network, mount, process, host name and IPC namespaces of its own. /tmp, /dev/shm, /home, /root, /run and the
checkout are empty folders in memory there, so nothing of the campaign and of the Python that runs these tests is
visible; the rest is this machine's system, read-only, with its /usr/bin/python3. `slurm_in(rig)` starts a Slurm there
(`rig_slurm`).
All of it ends with the process that made it, also when that is killed (tests/far/test_rig.py).
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil
from tests.cluster.base import PATH, ROOT, make_user
from tests.cluster.daemon import wait_for
from tests.cluster.packages import Unavailable, need
from tests.cluster.slurm import Slurm
from tests.sshd import HOST, Sshd

CODE = Path(__file__).parents[2]
INSIDE = Path(__file__).with_name("inside.py")
PYTHON = "/usr/bin/python3"
UNSHARED = ("--net", "--mount", "--pid", "--uts", "--ipc")
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
KERNEL = ctypes.CDLL(None)


def die_with_us() -> None:
    """Let this process be killed when its parent ends, however that ends."""
    KERNEL.prctl(DIE_WITH_PARENT, signal.SIGKILL)


@dataclass(frozen=True)
class Rig(Sshd):
    """One host; `home` has its keys and its log on this side."""

    processes: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    @cached_property
    def number(self) -> int:
        """What its addresses are made of: no other process of tests has them."""
        return os.getpid() % (1 << 14)

    @property
    def link(self) -> str:
        """The end of the cable on this side."""
        return f"rig{self.number}"

    def address_of(self, end: int) -> str:
        low = (self.number << 2) + end
        return f"10.213.{low >> 8}.{low & 255}"

    @property
    def address(self) -> str:
        return self.address_of(2)

    @cached_property
    def port(self) -> int:
        return 2222

    # up and down

    def up(self) -> Rig:
        """Bring it up; raises Unavailable where the kernel or the tools do not allow it."""
        need("rig", "ssh")
        self.prepare()
        try:
            self.start_inside()
            self.lay_link()
        except (OSError, subprocess.SubprocessError) as error:
            self.down()
            raise Unavailable(f"this kernel allows no host of its own: {error}") from error
        self.start_sshd()
        return self

    def start_inside(self) -> None:
        argv = ["unshare", *UNSHARED, "--fork", "--kill-child", "--mount-proc", PYTHON, str(INSIDE)]
        pipe = subprocess.PIPE
        self.processes.append(
            subprocess.Popen(
                argv, stdin=pipe, stdout=pipe, text=True, preexec_fn=die_with_us, env={"PATH": PATH}
            )
        )
        told = {
            "name": HOST,
            "hidden": [str(folder) for folder in hidden_folders()],
            "code": str(CODE),
            "files": {str(path): path.read_text() for path in self.home.iterdir() if path.is_file()},
            "folders": ["/run/sshd", str(self.there)],
        }
        process = self.processes[-1]
        assert process.stdin
        assert process.stdout
        json.dump(told, process.stdin)
        process.stdin.close()
        if process.stdout.readline() != "ready\n":
            raise OSError("its first process did not start")

    @property
    def first(self) -> psutil.Process:
        """Its first process, as this machine sees it."""
        return psutil.Process(self.processes[-1].pid).children()[0]

    def lay_link(self) -> None:
        ours, theirs = (f"{self.address_of(end)}/30" for end in (1, 2))
        peer = ("peer", "name", "eth0", "netns", str(self.first.pid))
        here("ip", "link", "add", self.link, "type", "veth", *peer)
        here("ip", "address", "add", ours, "dev", self.link)
        here("ip", "link", "set", self.link, "up")
        self.run("ip", "link", "set", "lo", "up")
        self.run("ip", "address", "add", theirs, "dev", "eth0")
        self.plug()

    def down(self) -> None:
        """End all of it; its network and files go with its processes."""
        for process in self.processes:
            with suppress(psutil.Error, IndexError):
                self.first.kill()
            process.kill()
            process.wait()
            for stream in filter(None, (process.stdin, process.stdout)):
                stream.close()
        self.processes.clear()
        subprocess.run(
            ["ip", "link", "delete", self.link], capture_output=True, check=False, env={"PATH": PATH}
        )

    # the cable

    def pull(self) -> None:
        """Let packets vanish both ways; who is connected is not told."""
        self.run("ip", "link", "set", "eth0", "down")

    def plug(self) -> None:
        """Lay it again; that nobody was there is forgotten."""
        self.run("ip", "link", "set", "eth0", "up")
        here("ip", "neighbour", "flush", "dev", self.link)
        carrier = Path(f"/sys/class/net/{self.link}/carrier")
        wait_for(lambda: carrier.read_text("ascii") == "1\n", "the cable is not plugged")

    # the server

    def start_sshd(self) -> None:
        log = self.daemon.log
        log.parent.mkdir(exist_ok=True)
        with log.open("a") as file:
            argv = self.entering(self.daemon.argv[0], "-e", "-f", str(self.home / "sshd_config"), "-D")
            subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env={"PATH": PATH})
        probe = f"import socket; socket.create_connection(('{self.address}', {self.port}), 1)"
        wait_for(lambda: self.run(PYTHON, "-c", probe, check=False).returncode == 0, "sshd does not answer")

    def kill_sshd(self) -> None:
        """Kill the server and all sessions with it; what they started in sessions of their own goes on."""
        while found := [process for process in self.inside() if name_of(process).startswith("sshd")]:
            for process in found:
                with suppress(psutil.Error):
                    process.kill()

    # what is there

    def inside(self) -> Iterator[psutil.Process]:
        """Yield all its processes, as this machine sees them."""
        space = os.readlink(f"/proc/{self.first.pid}/ns/pid")
        for process in psutil.process_iter():
            with suppress(OSError):
                if os.readlink(f"/proc/{process.pid}/ns/pid") == space:
                    yield process

    def living(self) -> list[psutil.Process]:
        """Return what runs there, without its first process and sshd."""
        return [p for p in self.inside() if p != self.first and not name_of(p).startswith("sshd")]

    def entering(self, *argv: str) -> list[str]:
        return ["nsenter", "--target", str(self.first.pid), *UNSHARED, "--", *argv]

    def run(self, *argv: str, check: bool = True, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run a command there."""
        env = {"PATH": PATH, "HOME": str(self.there), "LC_ALL": "C", **more.pop("env", {})}
        return subprocess.run(
            self.entering(*argv), capture_output=True, text=True, check=check, env=env, cwd="/", **more
        )

    def path(self, name: str | Path) -> Path:
        """Return where a file of it is found from here; `~` is the home of who logs in."""
        inside = str(name).replace("~", str(self.there), 1)
        return Path(f"/proc/{self.first.pid}/root{inside}")


def name_of(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        return process.name()
    return ""


def hidden_folders() -> list[Path]:
    """Return the folders of this machine that a rig has empty ones for: all in which tests or people write."""
    top = [Path(*folder.resolve().parts[:2]) for folder in (CODE, Path(sys.prefix), Path(sys.base_prefix))]
    usual = [Path(name) for name in ("/tmp", "/var/tmp", "/dev/shm", "/home", "/root", "/run")]
    return [
        p
        for p in dict.fromkeys([*usual, *top])
        if (p.is_dir() and p.parts[1] not in ("usr", "var")) or p == usual[1]
    ]


def here(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, env={"PATH": PATH})


def slurm_in(rig: Rig) -> Slurm:
    """Start a Slurm in a rig; raises Unavailable. Its commands need `env` of what is returned, as sshd's `SetEnv`."""
    need("slurm")
    make_user()  # what is there is read-only
    packages = Path(psutil.__file__).resolve().parents[1]
    paths = ("/mnt", "/mnt/src", f"/mnt/{packages.relative_to(CODE)}")
    rig.run(PYTHON, "-c", UP, env={"PYTHONPATH": ":".join(paths)}, timeout=120)
    return SLURM


SLURM = Slurm(ROOT / "slurm_bare", accounting=False, cgroup=False)

UP = """
from tests.cluster.base import ROOT
from tests.cluster.slurm import Slurm
Slurm(ROOT / "slurm_bare", accounting=False, cgroup=False).up()
"""
