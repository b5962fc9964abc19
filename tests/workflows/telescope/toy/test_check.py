from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from penstock.workflows.telescope.toy import stages
from penstock.workflows.telescope.toy.check import merge_checks, read_check
from penstock.workflows.telescope.toy.display import draw_camera
from penstock.workflows.telescope.toy.simulator import FLAT_LIGHT, Subrun, simulate


@pytest.fixture
def checked(task_of, made, tmp_path: Path) -> Path:
    path = tmp_path / "check_0.h5"
    stages.datacheck(task_of(path, inputs=[made.dl1, made.interleaved, made.muons]))
    return path


def test_numbers_are_those_of_the_subrun(checked: Path, made) -> None:
    row = read_check(checked).rows[0]
    assert [row[name] for name in ("events", "pedestals", "flatfields")] == [48, 6, 6]
    assert row["rate"] == pytest.approx(4.8)
    assert row["pedestal_mean"] == pytest.approx(0, abs=0.05)
    assert row["pedestal_rms"] == pytest.approx(0.8, abs=0.2)
    assert row["flatfield_mean"] == pytest.approx(FLAT_LIGHT, rel=0.05)
    assert (row["altitude"], row["azimuth"]) == pytest.approx((70, 180), abs=0.1)
    assert row["muons"] == made.told["r0_to_dl1"]["muons"] > 0
    assert row["ring_radius"] == pytest.approx(1.1, abs=0.2)


def test_a_run_is_that_of_all_events_together(task_of, checked: Path, process, tmp_path: Path) -> None:
    raw = tmp_path / "r0.h5"
    simulate(raw, Subrun(1806, 1, events=25))
    made, second = process(raw, tmp_path / "second"), tmp_path / "check_1.h5"
    stages.datacheck(task_of(second, inputs=[made.dl1, made.interleaved, made.muons]))
    both = merge_checks([second, checked])
    assert both.rows["subrun_id"].tolist() == [0, 1]
    one, other = read_check(checked), read_check(second)
    events = one.rows["events"][0], other.rows["events"][0]
    expected = np.average([one.maps["charge_mean"], other.maps["charge_mean"]], axis=0, weights=events)
    assert both.maps["charge_mean"] == pytest.approx(expected)
    products = {"product": tmp_path / "run.h5", "page": tmp_path / "run.html", "pictures": tmp_path / "run"}
    told = stages.merge(task_of(products, inputs=[checked, second], params={"kind": "datacheck"}))
    assert told == {"events": sum(events), "subruns": 2}
    page = (tmp_path / "run.html").read_text()
    links = {part.split('"')[0] for part in page.split('src="')[1:]}
    assert len(links) == 12
    assert all(Image.open(tmp_path / link).width > 500 for link in links)
    assert "no muon rings" not in page


def test_what_is_not_there_is_told_and_is_no_number(task_of, process, tmp_path: Path) -> None:
    raw, path = tmp_path / "r0.h5", tmp_path / "check.h5"
    simulate(raw, Subrun(1806, 0, events=4, mix={"gamma": 1}))
    made = process(raw, tmp_path / "made")
    told = stages.datacheck(
        task_of(
            {"product": path, "pictures": tmp_path / "maps"}, inputs=[made.dl1, made.interleaved, made.muons]
        )
    )
    assert (told["events"], told["muons"]) == (4, 0)
    assert told["pedestal_mean"] is told["flatfield_mean"] is told["ring_radius"] is None
    assert len([*(tmp_path / "maps").glob("*.png")]) == 6
    products = {"product": tmp_path / "run.h5", "page": tmp_path / "run.html", "pictures": tmp_path / "run"}
    stages.merge(task_of(products, inputs=[path], params={"kind": "datacheck"}))
    page = (tmp_path / "run.html").read_text()
    assert all(f"The run has no {each}." in page for each in ("pedestals", "flat fields", "muon rings"))


def test_a_night_without_data_has_an_empty_check(task_of, tmp_path: Path) -> None:
    products = {"product": tmp_path / "run.h5", "page": tmp_path / "run.html", "pictures": tmp_path / "run"}
    assert stages.merge(task_of(products, params={"kind": "datacheck"})) == {"events": 0, "subruns": 0}
    assert len(read_check(tmp_path / "run.h5").rows) == 0
    assert "The run has no events." in (tmp_path / "run.html").read_text()


def test_the_same_subrun_is_checked_with_the_same_bytes(task_of, checked: Path, made, tmp_path: Path) -> None:
    stages.datacheck(task_of(tmp_path / "again.h5", inputs=[made.muons, made.interleaved, made.dl1]))
    assert (tmp_path / "again.h5").read_bytes() == checked.read_bytes()
    with h5py.File(checked) as file:
        assert file.attrs["kind"] == "datacheck"


def test_a_camera_is_drawn_with_a_colour_a_pixel(tmp_path: Path) -> None:
    values = np.arange(1855.0)
    values[:7] = np.nan
    draw_camera(values, tmp_path / "camera.png", "A camera", "pe")
    drawn = Image.open(tmp_path / "camera.png")
    assert len(drawn.convert("RGB").getcolors(4096)) > 200
