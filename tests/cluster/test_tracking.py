"""Maps of a campaign on a real Slurm whose conductor is killed thrice are those of one process."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.cluster.lab import Lab
from tests.cluster.slurm import Slurm
from tests.until import until
from tests.workflows.tracking.alone import assert_as_alone, set_up

MOMENTS = (".penstock/ledger.sqlite", "cells/*.h5", "regions/*/*.h5")  # what there is when it is killed


def test_maps_of_slurm_after_three_kills_are_those_of_one_process(slurm: Slurm, tmp_path: Path) -> None:
    lab = Lab(tmp_path / "wells", slurm, "slurm")
    lab.root.mkdir()
    set_up(lab.root, "slurm", lab.site())
    for moment in MOMENTS:
        conductor = lab.start("run")
        until(lambda moment=moment: any(lab.root.glob(moment)), moment, 60)
        conductor.send_signal(signal.SIGKILL)
        assert conductor.wait() == -signal.SIGKILL
    assert lab.run("run") == 0, lab.said()
    assert_as_alone(lab.root)
