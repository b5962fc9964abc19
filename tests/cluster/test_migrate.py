"""The pages for those who have sbatch scripts or gwf, on a real Slurm."""

from pathlib import Path

import pytest
from tests.cluster.slurm import Slurm
from tests.docs.sides import check_sides, need_peer


@pytest.fixture
def commands(slurm: Slurm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands of Slurm on the PATH be those of this cluster."""
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
@pytest.mark.usefixtures("commands")
def test_both_sides_of_sbatch_make_the_same(tmp_path: Path) -> None:
    check_sides("sbatch", tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("commands")
def test_both_sides_of_gwf_make_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need_peer("gwf", monkeypatch)
    (tmp_path / "before").mkdir()
    (tmp_path / "before/.gwfconf.json").write_text(
        '{"check_updates": false}'
    )  # it would ask a server each day
    check_sides("gwf", tmp_path)
