"""Campaigns of experiments, with runs as small as they can be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import h5py
import pytest

from penstock.workflows.detector.init import RUNS, Shape, write_campaign
from penstock.workflows.detector.simulator import simulate

SHAPE, FRAMES = (2, 8, 12), 60


class Hutch:
    """A campaign, the data beside it, and what may be done with them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"

    def begin(self, *experiments: str, **shape: object) -> Path:
        """Write the definition; `experiments` are controlled, all without any."""
        settled = {"settle": "0s", "quiet": "0s", **shape}
        made = write_campaign(
            self.folder, f"{self.folder}/data/{RUNS}", experiments=None, every=True, shape=Shape(**settled)
        )
        if experiments:
            (self.folder / "experiments.txt").write_text("\n".join(experiments) + "\n")
        return made

    def path(self, experiment: str, run: int, stream: int = 0, chunk: int = 0) -> Path:
        named = {"instrument": experiment[:3].upper(), "experiment": experiment, "run": run}
        return self.data / RUNS.format(**named, stream=stream, chunk=chunk)

    def take(
        self,
        experiment: str,
        *runs: int,
        streams: Sequence[int] = (0,),
        chunks: Sequence[int] = (0,),
        faults: dict[int, str] | None = None,
    ) -> None:
        """Write runs with frames."""
        for run in runs:
            for stream, chunk in product(streams, chunks):
                path = self.path(experiment, run, stream, chunk)
                path.parent.mkdir(parents=True, exist_ok=True)
                frames = simulate(FRAMES, SHAPE, faults or {5: "dead"}, seed=run).frames
                with h5py.File(path, "w") as file:
                    file.create_dataset("entry/data/data", data=frames, chunks=(1, *SHAPE))

    def penstock(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "penstock", *words]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120)

    def lines(self, *words: str) -> list[str]:
        """Give what a command of the workflow printed; it has to end well."""
        done = self.penstock("detector", *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()


@pytest.fixture
def hutch(tmp_path: Path) -> Hutch:
    return Hutch(tmp_path)
