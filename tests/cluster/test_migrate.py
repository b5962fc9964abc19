"""The page for those who have sbatch scripts, on a real Slurm."""

from pathlib import Path

import pytest
from tests.cluster.slurm import Slurm
from tests.docs.sides import check_sides


@pytest.mark.slow
def test_both_sides_of_sbatch_make_the_same(
    slurm: Slurm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in slurm.env.items():
        monkeypatch.setenv(name, value)
    check_sides("sbatch", tmp_path)
