import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.runner.task import Verdict
from penstock.workflows.telescope.toy import stages
from penstock.workflows.telescope.toy.simulator import Subrun, simulate


def rows(path: Path, name: str = "events") -> np.ndarray:
    with h5py.File(path) as file:
        return file[name][:]


def test_every_event_of_a_subrun_is_in_its_products(made) -> None:
    assert made.told["r0_to_dl1"] == {"events": 48, "interleaved": 12, "muons": len(rows(made.muons))}
    assert len(rows(made.dl1)) == len(rows(made.dl1ab)) == len(rows(made.dl2)) == 48
    ids = np.sort(np.concatenate([rows(path)["event_id"] for path in (made.dl1, made.interleaved)]))
    assert ids.tolist() == [*range(60)]


def test_muons_are_those_that_were_made(made) -> None:
    truth = rows(made.dl1, "simulation")
    is_muon = rows(made.dl1)["event_id"][truth["particle"] == 13]
    found = rows(made.muons)["event_id"]
    assert set(found) <= set(is_muon)
    assert len(found) >= len(is_muon) - 1
    assert rows(made.muons, "rings")["ring_radius"] == pytest.approx(1.1, abs=0.25)


def test_the_same_subrun_gives_the_same_bytes(made, night, process, tmp_path: Path) -> None:
    again = process(night.raw["DATA"], tmp_path)
    for name in ("dl1", "muons", "interleaved", "dl1ab", "dl2"):
        assert getattr(again, name).read_bytes() == getattr(made, name).read_bytes(), name


@pytest.mark.parametrize(
    "mix", [{"gamma": 1, "pedestal": 1}, {"pedestal": 1}, {}], ids=["no ring", "no data", "no event"]
)
def test_what_is_not_there_makes_empty_tables_and_no_failure(tmp_path: Path, process, mix) -> None:
    raw = tmp_path / "r0.h5"
    simulate(raw, Subrun(1807, 0, events=8 if mix else 0, mix=mix))
    made = process(raw, tmp_path / "made")
    assert len(rows(made.muons)) == 0
    assert len(rows(made.dl2)) == (4 if "gamma" in mix else 0)
    assert rows(made.dl2, "dl2").dtype.names[-1] == "gammaness"


@pytest.mark.parametrize("kind", ["dl1", "dl1ab", "muons", "interleaved", "dl2"])
def test_merged_events_are_those_of_all_subruns(task_of, tmp_path: Path, made, process, kind: str) -> None:
    raw = tmp_path / "r0.h5"
    simulate(raw, Subrun(1806, 1, events=20))
    parts = [getattr(each, kind) for each in (made, process(raw, tmp_path / "second"))]
    names = ("a.h5", "b.h5")
    for name, order in zip(names, (parts, parts[::-1]), strict=True):
        told = stages.merge(task_of(tmp_path / name, inputs=order, params={"kind": kind}))
        assert told == {"events": sum(len(rows(path)) for path in parts), "subruns": 2}
    one, other = ((tmp_path / name).read_bytes() for name in names)
    assert one == other
    merged = rows(tmp_path / "a.h5")
    assert merged["event_id"].tolist() == np.concatenate([rows(part)["event_id"] for part in parts]).tolist()


def test_dl2_of_a_run_is_that_of_its_subruns(task_of, tmp_path: Path, made, models: Path) -> None:
    two = [made.dl1ab, tmp_path / "copy.h5"]
    two[1].write_bytes(made.dl1ab.read_bytes())
    told = stages.dl1_to_dl2(task_of(tmp_path / "dl2.h5", inputs=[*two, models]))
    assert told["events"] == 96
    assert rows(tmp_path / "dl2.h5", "dl2")[:48].tobytes() == rows(made.dl2, "dl2").tobytes()


def test_cuts_are_those_of_the_parameters(task_of, tmp_path: Path, made) -> None:
    task = task_of(tmp_path / "a.h5", inputs=[made.dl1], params={"cleaning": {"picture": 12.0}})
    assert stages.dl1ab(task)["cleaned"] < made.told["dl1ab"]["cleaned"]
    with h5py.File(tmp_path / "a.h5") as file:
        assert (file.attrs["picture"], file.attrs["boundary"]) == (12.0, 4.0)


def test_a_calibration_may_be_named_by_a_parameter(task_of, tmp_path: Path, night) -> None:
    products = {name: tmp_path / f"{name}.h5" for name in ("dl1", "muons", "interleaved")}
    params = {"calibration": f"{night.folder}/{{what}}.h5"}
    simulate(tmp_path / "r0.h5", Subrun(1807, 0, events=4))
    task = task_of(products, path=tmp_path / "r0.h5", params=params, what="calibration")
    assert stages.r0_to_dl1(task) == {"events": 3, "interleaved": 1, "muons": 0}


@pytest.mark.parametrize(
    ("stage", "params", "said"),
    [
        (stages.r0_to_dl1, {}, "has no pedestals and gains; name the stage that makes it in `after`, or"),
        (stages.dl1ab, {}, "has no calibrated images"),
        (stages.dl1_to_dl2, {}, "has no forests"),
        (stages.merge, {"kind": "dl3"}, "one of dl1, dl1ab, muons, interleaved, dl2, datacheck, not 'dl3'"),
        (stages.merge, {"kind": "dl2"}, "no file with reconstructed events is there to be merged"),
        (stages.r0_to_dl1, {"calibration": "nowhere.h5"}, "nowhere.h5 is not there; run the stage"),
    ],
)
def test_what_is_missing_fails_for_good_with_a_sentence(
    task_of, tmp_path: Path, night, stage, params, said
) -> None:
    with pytest.raises(Verdict, match=said) as raised:
        stage(task_of(tmp_path / "a.h5", path=night.raw["DATA"], params=params))
    assert raised.value.verdict == "permanent"


def test_stages_of_data_do_without_scikit_learn_and_matplotlib() -> None:
    code = """
import sys
from penstock.workflows.telescope.toy import stages
stages.setup()
print([name for name in ("sklearn", "scipy", "matplotlib") if name in sys.modules])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
