"""A run from its files to its products, chunk by chunk."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.workflows.detector.frames import open_run
from penstock.workflows.detector.ndarrayfile import read_text
from penstock.workflows.detector.page import write_run_page
from penstock.workflows.detector.passes import measure, sum_part
from penstock.workflows.detector.products import read_product, write_product, write_texts
from penstock.workflows.detector.settings import Settings
from penstock.workflows.detector.simulator import FAULTS, simulate
from penstock.workflows.detector.status import judge

PLACES = {53 * (i + 1): name for i, name in enumerate(FAULTS)}


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """A run of two streams, of a detector with two panels."""
    frames = simulate(300, (2, 16, 24), PLACES, seed=4).frames
    for i, part in enumerate((frames[:130], frames[130:])):
        with h5py.File(tmp_path / f"e1234-r0059-s0{i}-c00.h5", "w") as file:
            file.create_dataset("entry/data/data", data=part, chunks=(1, 2, 16, 24))
    return sorted(tmp_path.iterdir())


@pytest.mark.parametrize("mode", ["classic", "robust", "dark"])
def test_parts_of_a_run_merge_to_what_one_pass_gives(files: list[Path], mode: str) -> None:
    chosen, run = Settings(mode=mode), open_run(files)
    whole = measure(run, chosen, size=1000).judged
    merged = sum_part(run, chosen, first=200)
    for first, last in ((0, 90), (90, 200)):
        merged.merge(sum_part(run, chosen, first=first, last=last, size=17))
    for name, array in judge(merged, chosen).arrays().items():
        assert array.tobytes() == whole.arrays()[name].tobytes(), name


def test_pixels_that_a_detector_masks_are_told(tmp_path: Path) -> None:
    frames = simulate(60, (16, 16), {}, seed=1).frames
    frames[:, 3, :5] = 65535
    frames[::7, 8, 8] = 65535
    np.save(tmp_path / "a.npy", frames)
    made = measure(open_run([tmp_path / "a.npy"]), Settings())
    assert made.told[0].startswith("5 pixels are 65535 in every frame")
    assert made.told[1] == "1 pixel is 65535 at times"
    assert made.judged.status is not None
    assert made.judged.status[3, 0] == 106


def test_a_product_comes_back_with_all_that_it_comes_from(files: list[Path], tmp_path: Path) -> None:
    made = measure(open_run(files), Settings())
    for name in ("a.h5", "b.h5"):
        write_product(tmp_path / name, made.judged, {"experiment": "e1234", "run": 59}, ["µ was told"])
    found = read_product(tmp_path / "a.h5")
    assert set(found.arrays) == {
        "ave",
        "rms",
        "min",
        "max",
        "fraction_low",
        "fraction_high",
        "status",
        "mask",
    }
    for name, array in made.judged.arrays().items():
        np.testing.assert_array_equal(found.arrays[name], array)
    assert (found.about["frames"], found.about["run"], found.about["told"]) == (300, 59, ["µ was told"])
    assert Settings.read(found.about["settings"]) == Settings()
    assert found.about["rms_limits"] == [*(made.judged.limits.rms if made.judged.limits else ())]
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_the_old_text_files_have_the_arrays(files: list[Path], tmp_path: Path) -> None:
    judged = measure(open_run(files), Settings()).judged
    paths = write_texts(tmp_path, "e1234-r0059", judged, {"RUN": 59})
    assert [path.name.split("-")[-1] for path in paths] == [
        "ave.txt", "rms.txt", "status.txt", "mask.txt", "max.txt", "min.txt",
    ]  # fmt: skip
    for path, name in zip(paths, ("ave", "rms", "status", "mask", "max", "min"), strict=True):
        array, about = read_text(path)
        np.testing.assert_allclose(array, judged.arrays()[name], atol=6e-4)
        assert (about["FRAMES"], array.shape) == ("300", (2, 16, 24))


def test_the_page_of_a_run_shows_every_panel_and_escapes_what_was_told(
    files: list[Path], tmp_path: Path
) -> None:
    judged = measure(open_run(files), Settings()).judged
    write_run_page(
        tmp_path / "run.html", judged, "Run 59", folder=tmp_path / "pictures", facts={"run": 59}, told=["<b>"]
    )
    page = (tmp_path / "run.html").read_text()
    shown = {name for name in page.split('"') if name.endswith(".png")}
    assert shown == {f"pictures/{path.name}" for path in (tmp_path / "pictures").iterdir()}
    assert len(shown) == 8
    assert "&lt;b&gt;" in page
    assert "<td>172</td>" not in page
    assert "limits of the rms" in page


def test_the_page_of_a_run_that_was_not_judged_says_why(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", simulate(9, (16, 16), {}, seed=1).frames)
    judged = measure(open_run([tmp_path / "a.npy"]), Settings()).judged
    write_product(tmp_path / "a.h5", judged, {})
    assert "not judged: 9 frames" in read_product(tmp_path / "a.h5").about["not_judged"]
    write_run_page(tmp_path / "run.html", judged, "Run 1", folder=tmp_path / "pictures", facts={})
    assert "<strong>not judged: 9 frames" in (tmp_path / "run.html").read_text()


def test_a_run_of_which_nothing_was_stored_has_a_page_that_says_so(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("entry/data/data", (8, 16, 16), np.float32, chunks=(1, 16, 16))
    run = open_run([tmp_path / "a.h5"])
    made = measure(run, Settings())
    assert made.judged.why == "not judged: 0 frames, and the mode robust needs 50"
    write_run_page(
        tmp_path / "run.html", made.judged, "Run 1", folder=tmp_path / "p", facts={}, told=made.told
    )
    assert "8 of 8 frames were never stored" in (tmp_path / "run.html").read_text()


PEAK = """
import resource, sys
from pathlib import Path
from penstock.workflows.detector.frames import open_run
from penstock.workflows.detector.passes import measure
from penstock.workflows.detector.settings import Settings
run = open_run([Path(sys.argv[1])])
next(run.blocks(1))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
measure(run, Settings(mode=sys.argv[2]), size=40)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024)
"""


@pytest.mark.parametrize("mode", ["classic", "robust"])
def test_a_run_is_never_held_whole(tmp_path: Path, mode: str) -> None:
    shape, frames = (256, 512), 400  # 105 MB in all, 10 MB at once
    block = np.random.default_rng(1).integers(1490, 1510, (40, *shape)).astype(np.uint16)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset("entry/data/data", (frames, *shape), np.uint16, chunks=(1, *shape))
        for first in range(0, frames, 40):
            made[first : first + 40] = block
    ran = subprocess.run(
        [sys.executable, "-c", PEAK, tmp_path / "a.h5", mode], capture_output=True, text=True, check=True
    )
    accumulators = block[0].size * (2 * 8 + 2 * 8 + 2 * 2)
    judging = block[0].size * 8 * 12  # mean, rms, fractions, and what is between
    assert int(ran.stdout) < 3 * block.nbytes + accumulators + judging
