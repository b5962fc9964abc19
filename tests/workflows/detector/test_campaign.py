"""Runs of a detector through the whole engine, in one pass and in parts."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from penstock.workflows.detector.deploying import Place, in_force
from penstock.workflows.detector.masks import export_pyfai
from penstock.workflows.detector.ndarrayfile import read_text
from penstock.workflows.detector.products import read_product
from penstock.workflows.detector.simulator import simulate

WHOLE = """
[campaign]
name   = "e1234"
levels = ["run"]

[units]
files  = "raw/e1234-r{run:04d}-s{stream:02d}-c{chunk:02d}.h5"
many   = ["stream", "chunk"]
settle = "0s"

[params]
spreads = 9
known   = { path = "known.npy", polarity = "1 is bad" }
select  = { skip = 2 }

[stage.status]
each     = "run"
python   = "penstock.workflows.detector.stages:status"
setup    = "penstock.workflows.detector.stages:setup"
params   = { patience = 60 }
products = { status = "status/r{run:04d}.h5", page = "status/r{run:04d}.html", pictures = "status/r{run:04d}/" }
"""

DEPLOYING = """
[stage.deploy]
each   = "run"
after  = ["status"]
python = "penstock.workflows.detector.stages:deploy"
params = { calib = "calib", group = "Camera::CalibV1", source = "Dev.0:Cam.0", conditions = { bad = 0.01 } }
"""

PARTS = (
    WHOLE.replace('levels = ["run"]', 'levels = ["run", "part"]').split("[stage.status]")[0]
    + """
[stage.split]
each    = "run"
python  = "penstock.workflows.detector.stages:split"
expands = "part"
params  = { part_frames = 50 }

[stage.sums]
each     = "part"
after    = ["split"]
python   = "penstock.workflows.detector.stages:sums"
products = "sums/r{run:04d}-{part}.h5"

[stage.status]
each     = "run"
after    = ["sums"]
python   = "penstock.workflows.detector.stages:merge"
products = { status = "status/r{run:04d}.h5", page = "status/r{run:04d}.html", pictures = "status/r{run:04d}/" }
"""
)


def penstock(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


def campaign(folder: Path, definition: str) -> Path:
    (folder / "raw").mkdir(parents=True)
    (folder / "penstock.toml").write_text(definition)
    known = np.zeros((2, 16, 24), np.bool_)
    known[1, 2, 3] = True
    export_pyfai(folder / "known.npy", known)
    frames = simulate(160, (2, 16, 24), {5: "dead", 77: "noisy", 200: "flash"}, seed=4).frames
    for stream, part in enumerate((frames[:70], frames[70:])):
        with h5py.File(folder / f"raw/e1234-r0059-s0{stream}-c00.h5", "w") as file:
            file.create_dataset("entry/data/data", data=part, chunks=(1, 2, 16, 24))
    return folder


def test_a_run_is_judged_and_one_that_can_never_be_read_fails_at_once(tmp_path: Path) -> None:
    folder = campaign(tmp_path / "whole", WHOLE + DEPLOYING)
    (folder / "raw/e1234-r0060-s00-c00.h5").write_text("no frames\n" * 100)
    truncated = folder / "raw/e1234-r0061-s00-c00.h5"
    truncated.write_bytes((folder / "raw/e1234-r0059-s00-c00.h5").read_bytes()[:9000])
    os.utime(truncated, (1_700_000_000, 1_700_000_000))
    ran = penstock(folder, "run")
    assert ran.returncode == 1
    made = read_product(folder / "status/r0059.h5")
    assert (made.about["frames"], made.about["settings"]["spreads"]) == (158, 9)
    bad = {int(place) for place in np.flatnonzero(made.arrays["status"])}
    assert bad == {5, 77}
    assert {int(place) for place in np.flatnonzero(made.arrays["mask"] == 0)} == {5, 77, 384 + 2 * 24 + 3}
    place = Place(folder / "calib", "Camera::CalibV1", "Dev.0:Cam.0")
    assert in_force(place, 99) == place.folder / "59-end.data"
    np.testing.assert_array_equal(read_text(place.folder / "59-end.data")[0], made.arrays["status"])
    page = (folder / "status/r0059.html").read_text()
    shown = {name for name in page.split('"') if name.endswith(".png")}
    assert len(shown) == 8
    assert all((folder / "status" / name).exists() for name in shown)
    for run, why in (("60", "is not an HDF5 file"), ("61", "truncated: it has 9000 of")):
        said = penstock(folder, "why", run).stdout
        assert why in said, said
        assert "attempt 2" not in penstock(folder, "log", run).stdout


def test_a_map_that_does_not_keep_the_conditions_fails_its_stage_at_once(tmp_path: Path) -> None:
    folder = campaign(tmp_path, WHOLE + DEPLOYING.replace("bad = 0.01", "bad = 0.001"))
    assert penstock(folder, "run").returncode == 1
    said = penstock(folder, "why", "59", "--stage", "deploy").stdout
    assert "0.26% of the pixels are bad, at most 0.10% may be" in said
    assert not [*folder.glob("calib/**/*.data")]


def test_a_wrong_word_fails_at_once_with_the_right_one(tmp_path: Path) -> None:
    folder = campaign(tmp_path, WHOLE.replace("skip = 2", "skipp = 2"))
    assert penstock(folder, "run").returncode == 1
    assert "skipp is no way to select frames; did you mean skip?" in penstock(folder, "why", "59").stdout


def test_a_run_in_parts_gives_the_product_of_one_pass(tmp_path: Path) -> None:
    folders = [campaign(tmp_path / name, text) for name, text in (("whole", WHOLE), ("parts", PARTS))]
    for folder in folders:
        ran = penstock(folder, "run")
        assert ran.returncode == 0, ran.stdout + ran.stderr
    assert len([*(folders[1] / "sums").glob("*.h5")]) == 4
    whole, parts = (read_product(folder / "status/r0059.h5") for folder in folders)
    assert whole.about["frames"] == parts.about["frames"] == 158
    for name, array in whole.arrays.items():
        assert array.tobytes() == parts.arrays[name].tobytes(), name
