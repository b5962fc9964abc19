"""A real Slurm behind a real SSH server: nothing of it is used from here but over the wire."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.lab import Lab
from tests.cluster.packages import Unavailable
from tests.cluster.slurm import Slurm
from tests.sshd import HOST, Sshd, bring_up, end_connections
from tests.until import until

STAGES = """
[stage.count]
each = "unit"
command = ["sh", "-c", "echo $0 $(hostname) > $1; sleep 0.5", "{unit}", "{product}"]
products = "count/{unit}.txt"
batch = 5

[stage.all]
each = "campaign"
after = "count"
command = ["sh", "-c", 'while read -r p; do cut -d" " -f1 "$p"; done < $0 | sort -n > $1', "{inputs_file.count}", "{product}"]
products = "all.txt"
"""

NEEDED = "needs you: `penstock site login cluster`"


class FarLab(Lab):
    """A campaign whose conductor has none of the cluster's environment."""

    state: Path
    config: Path

    def environment(self) -> dict[str, str]:
        own = super().environment()
        without = {name: value for name, value in own.items() if name not in self.cluster.env}
        return {**without, "PENSTOCK_STATE": str(self.state), "PENSTOCK_SSH_CONFIG": str(self.config)}


@pytest.fixture
def server(slurm_bare: Slurm, tmp_path: Path) -> Iterator[Sshd]:
    try:
        made = bring_up(tmp_path / "sshd", **slurm_bare.env)
    except Unavailable as reason:
        pytest.skip(f"sshd: {reason}")
    yield made
    made.down()


@pytest.fixture
def lab(slurm_bare: Slurm, server: Sshd, tmp_path: Path) -> Iterator[FarLab]:
    (tmp_path / "lab").mkdir()
    lab = FarLab(tmp_path / "lab", slurm_bare, "slurm")
    lab.state, lab.config = Path(tempfile.mkdtemp(prefix="penstock-ssh-")), server.config
    lab.define(STAGES, units=20, site=f'host = "{HOST}"\nworkdir = "{tmp_path}/far"\n')
    yield lab
    end_connections(lab.state)
    shutil.rmtree(lab.state)


def test_a_campaign_runs_over_ssh_and_a_lost_connection_costs_a_login(lab: FarLab, server: Sshd) -> None:
    first = lab.start()
    until(lambda: NEEDED in lab.said(), "it says what it needs")
    first.terminate()
    first.wait(60)
    assert server.logins() == (0, 0)

    assert lab.penstock("site", "login", "cluster").returncode == 0
    tested = lab.penstock("site", "test", "cluster")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert not (lab.root.parent / "far").exists() or not [*(lab.root.parent / "far").iterdir()]

    first, needed = lab.start(), lab.said().count(NEEDED)
    until(lambda: [*(lab.root / "count").glob("*.txt")], "the first are done")
    end_connections(lab.state)
    until(lambda: lab.said().count(NEEDED) > needed, "it says so again")
    assert lab.penstock("site", "login", "cluster").returncode == 0
    assert first.wait(300) == 0, lab.said()
    assert lab.states("count") == {"done": 20}
    assert lab.outcomes("count") == {"ok": 20}, "nothing ran twice"
    assert (lab.root / "all.txt").read_text().split() == [str(n) for n in range(1, 21)]
    assert server.logins() == (2, 0)
    assert lab.commands("sbatch")
