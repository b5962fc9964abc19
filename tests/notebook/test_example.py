"""The notebooks in examples/ do what they say, cell by cell, and from the shell: from recordings to a soundscape, from
trajectories to maps.
"""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.notebook.kernel import Notebook

from penstock import record
from penstock.workflows.tracking.mapped import load

EXAMPLES = Path(__file__).parents[2] / "examples"
EXAMPLE, TRACKING = EXAMPLES / "acoustics.ipynb", EXAMPLES / "tracking.ipynb"
RATE = 16_000
TONES = (600.0, 1200.0, 2400.0)  # Hz, of one recording each


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """Three recordings of a tone each, back to back."""
    (tmp_path / "audio").mkdir()
    noise = np.random.default_rng(3).normal(0, 0.01, 5 * RATE)
    for number, tone in enumerate(TONES):
        begin = datetime(2026, 1, 17, 4, tzinfo=UTC) + timedelta(seconds=5 * number)
        sound = 0.2 * np.sin(2 * np.pi * tone * np.arange(5 * RATE) / RATE) + noise
        soundfile.write(tmp_path / "audio" / f"x_{begin:%Y%m%d_%H%M%S}.wav", sound, RATE)
    return tmp_path


def cells_of(file: Path) -> list[str]:
    cells = json.loads(file.read_text("utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def test_every_cell_runs(recorded: Path, notebook: Notebook) -> None:
    for cell in cells_of(EXAMPLE):
        shown = notebook.run(cell)
        assert shown.error == "", cell
    with record.open(recorded) as opened:
        found = [row.value["Hz"] for row in opened.results("loudest")]
    # The nearest line of a spectrum with 1024 samples a frame.
    assert found == pytest.approx(TONES, abs=RATE / 1024 / 2)
    assert (recorded / "ltas.png").read_bytes().startswith(b"\x89PNG")


def test_every_cell_of_that_of_trajectories_runs_and_its_maps_are_near_the_truth(
    tmp_path: Path, notebook: Notebook
) -> None:
    for cell in cells_of(TRACKING):
        shown = notebook.run(cell.replace("600, seed=", "300, seed="))  # trajectories: fewer are faster
        assert shown.error == "", cell
    assert [*load(tmp_path / "maps/cell-1.maps.h5")] == ["roi000", "roi001"]
    with record.open(tmp_path) as opened:
        compared = [row.value for row in opened.results("infer")]
        wells = [(row.value["x"], row.value["y"]) for row in opened.results("well")]
        failed = [task.unit for task in opened.tasks("infer", state="failed")]
    assert failed == ["cell-1/roi002"]
    assert max(abs(each["diffusivity_bias"]) for each in compared) < 0.1
    assert np.allclose(wells, 2 * [(0.8, 0.8), (2.4, 0.8)], atol=0.2)


@pytest.mark.parametrize("example", [EXAMPLE, TRACKING], ids=lambda path: path.stem)
def test_it_has_no_outputs_and_no_machine_in_it(example: Path) -> None:
    text = example.read_text("utf-8")
    assert all(not cell.get("outputs") for cell in json.loads(text)["cells"])
    assert "/home/" not in text


def test_it_runs_from_the_shell(recorded: Path) -> None:
    (recorded / EXAMPLE.name).write_bytes(EXAMPLE.read_bytes())
    command = [sys.executable, "-m", "penstock", "run", str(recorded / EXAMPLE.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    with record.open(recorded) as opened:
        assert len(list(opened.results("loudest"))) == 3
    assert (recorded / "ltas.png").read_bytes().startswith(b"\x89PNG")
