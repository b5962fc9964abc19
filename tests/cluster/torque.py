"""Torque's commands (`qsub`, `qstat`, `qdel`) over a real Slurm."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.base import PATH
from tests.cluster.packages import Unavailable, need
from tests.cluster.slurm import Slurm

PACKAGE = "slurm-wlm-torque"
#: the wrappers call these from their own folder
CALLED = ("sbatch", "squeue", "scancel", "scontrol", "sinfo", "srun", "salloc", "sacct")


@dataclass(frozen=True)
class Torque(Slurm):
    """Jobs have PBS_* variables. The commands lie beside: their package conflicts with Grid Engine's."""

    accounting: bool = False
    spank: tuple[str, ...] = ("spank_pbs.so",)

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, "PATH": f"{self.commands}:{PATH}"}

    @property
    def commands(self) -> Path:
        return self.home / "wrappers/usr/bin"

    def prepare(self) -> None:
        need("torque")
        super().prepare()
        if not (self.commands / "qsub").exists():
            unpack(self.home / "wrappers")
            for name in CALLED:
                (self.commands / name).symlink_to(f"/usr/bin/{name}")


def unpack(into: Path) -> None:
    """Unpack the package without installing it; raises Unavailable."""
    with tempfile.TemporaryDirectory() as folder:
        steps = (["apt-get", "-q", "download", PACKAGE], ["sh", "-c", 'dpkg -x ./*.deb "$0"', str(into)])
        for step in steps:
            done = subprocess.run(step, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"{PACKAGE} cannot be had: {done.stderr.strip()}")
