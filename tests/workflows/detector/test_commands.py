"""The commands of the old scripts, and their numbers: dry unless it is submitted."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from tests.workflows.detector.conftest import Hutch

from penstock import record
from penstock.workflows.detector.deploying import Place, in_force
from penstock.workflows.detector.init import Store
from penstock.workflows.detector.masks import Mask
from penstock.workflows.detector.oldrecord import read_lines, run_of

OLD = b"%04d 2017-10-05T15:19:21 ann psana1501 cwd:/reg/neh cmd:proc_control -r %d\n"
CONTROLLED = "xpptut15"


@pytest.fixture
def standing(hutch: Hutch) -> Hutch:
    """Give a campaign with three runs of a controlled experiment, and one of another."""
    hutch.begin(CONTROLLED, "mfxabsent")
    for run in (1, 2, 3):
        hutch.path(CONTROLLED, run).parent.mkdir(parents=True, exist_ok=True)
        hutch.take(CONTROLLED, run)
    hutch.take("cxil2316", 7)
    return hutch


def states(hutch: Hutch, stage: str = "pixel_status") -> dict[str, str]:
    with record.open(hutch.folder) as opened:
        return {task.unit: task.state for task in opened.tasks(stage)}


def units(lines: list[str]) -> list[str]:
    return [line.split()[0] for line in lines]


@pytest.mark.parametrize(("words", "number"), [(["new"], "1"), (["new", "--all"], "2")])
def test_new_runs_are_listed_before_the_first_turn_by_name_and_number(
    standing: Hutch, words: list[str], number: str
) -> None:
    others = ["CXI/cxil2316/0007"] if number == "2" else []
    mine = [f"XPP/{CONTROLLED}/000{run}" for run in (1, 2, 3)]
    assert units(standing.lines(*words)) == units(standing.lines(number)) == [*others, *mine]
    assert units(standing.lines(number, CONTROLLED)) == mine
    assert not (standing.folder / "pixel_status").exists()
    assert set(states(standing).values()) == {"ready"}


def test_submitting_takes_a_turn(standing: Hutch) -> None:
    assert len(standing.lines("new", "--submit")) > 3
    standing.penstock("run")
    assert standing.lines("new") == []


def test_statistics_count_by_instrument_and_experiment_and_warn_of_what_has_no_data(standing: Hutch) -> None:
    shown = standing.penstock("detector")
    assert "mfxabsent is in experiments.txt, and has no run" in shown.stderr
    assert shown.stdout.splitlines()[0].split() == ["runs", "seen", "ready"]
    assert shown.stdout.splitlines()[-1].split() == ["all", "4", "1", "3"]
    told = json.loads("".join(standing.lines("5", "--json")))
    assert [(each["name"], each["runs"]) for each in told["counts"]] == [
        ("CXI", 1), ("XPP", 3), ("CXI/cxil2316", 1), ("XPP/xpptut15", 3), ("all", 4),
    ]  # fmt: skip
    assert len(told["runs"]) == 4
    wrong = standing.penstock("detector", "new", "nosuch99")
    assert (wrong.returncode, "no run of nosuch99 is known" in wrong.stderr) == (2, True)


@pytest.mark.parametrize("number", ["10", "20"])
def test_marking_counts_runs_as_processed_and_leaves_no_result(
    standing: Hutch, number: str, tmp_path: Path
) -> None:
    standing.lines(number)
    assert set(states(standing).values()) == {"ready"}
    standing.lines(number, "--submit")
    assert set(states(standing).values()) == {"done"}
    assert units(standing.lines("2")) == ([] if number == "20" else ["CXI/cxil2316/0007"])
    (standing.folder / "experiments.txt").write_text(f"{CONTROLLED}\ncxil2316\n")
    standing.take(CONTROLLED, 4)
    assert standing.penstock("run").returncode == 0
    made = sorted(path.name for path in standing.folder.glob("pixel_status/*/*/*.h5"))
    assert made == (["r0004.h5"] if number == "20" else ["r0004.h5", "r0007.h5"])
    standing.lines("export", str(tmp_path / "out"))
    lines = read_lines(tmp_path / "out/pixel_status/CXI/cxil2316-proc-runs.txt").runs
    assert [*lines] == [7]
    table = (standing.folder / f"trend/XPP/{CONTROLLED}.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in table] == ["run", "4"]


def test_runs_that_are_gone_are_listed_and_archived(standing: Hutch) -> None:
    for run in range(10, 30):
        standing.take(CONTROLLED, run)
    standing.lines("mark", "--submit")
    os.unlink(standing.path(CONTROLLED, 2))
    assert standing.lines("missing") == []  # the record is of the last look
    standing.penstock("tick")
    for number in ("4", "40"):
        assert units(standing.lines(number)) == [f"XPP/{CONTROLLED}/0002"]
    standing.lines("archive", "--submit")
    assert standing.lines("4") == []
    assert states(standing)[f"XPP/{CONTROLLED}/0002"] == "done"


def old_record(root: Path, experiment: str, runs: list[int], archived: list[int]) -> Path:
    folder = root / "pixel_status" / experiment[:3].upper()
    folder.mkdir(parents=True, exist_ok=True)
    lines = b"# processed\n" + b"".join(OLD % (run, run) for run in runs)
    (folder / f"{experiment}-proc-runs.txt").write_bytes(lines.rstrip(b"\n"))
    (folder / f"{experiment}-arch-runs.txt").write_bytes(b"".join(OLD % (run, run) for run in archived))
    return root


def test_an_old_record_is_imported_continued_and_exported(standing: Hutch, tmp_path: Path) -> None:
    old = old_record(tmp_path / "run_proc", CONTROLLED, [1, 2, 900], [800])
    old_record(old, "cxil2316", [7], [])
    before = {path.relative_to(old): path.read_bytes() for path in old.glob("**/*.txt")}
    (said,) = standing.lines("import", str(old))
    assert said == "4 files: 4 runs processed, 1 archived; to be counted as done, as they are here: 3"
    assert units(standing.lines("new")) == [f"XPP/{CONTROLLED}/000{run}" for run in (1, 2, 3)]
    standing.lines("import", str(old), "--submit")
    assert units(standing.lines("new")) == [f"XPP/{CONTROLLED}/0003"]
    assert standing.penstock("run").returncode == 0
    (standing.folder / "experiments.txt").write_text(f"{CONTROLLED}\ncxil2316\n")
    assert standing.penstock("run").returncode == 0
    assert states(standing)["CXI/cxil2316/0007"] == "done"
    assert not (standing.folder / "pixel_status/CXI").exists()

    standing.penstock("veto", f"XPP/{CONTROLLED}/2", "--why", "clouds")  # which is no mark
    for _ in range(2):  # the second adds nothing
        standing.lines("export", str(tmp_path / "out"), "--logs")
        after = {path: (tmp_path / "out" / path).read_bytes() for path in before}
        assert all(after[path].startswith(before[path]) for path in before)
        grown = {
            path: content[len(before[path]) :] for path, content in after.items() if content != before[path]
        }
        (name, added) = grown.popitem()
        assert (grown, name.name, run_of(added.lstrip(b"\n"))) == ({}, f"{CONTROLLED}-proc-runs.txt", 3)
        assert b"cmd:penstock pixel_status" in added


def test_lines_of_the_old_record_whose_runs_are_gone_are_archived(standing: Hutch, tmp_path: Path) -> None:
    old = old_record(tmp_path / "run_proc", CONTROLLED, [1, 900], [800])
    standing.lines("import", str(old), "--submit")
    assert standing.lines("4") == [f"XPP/{CONTROLLED}/0900  old"]
    assert "would archive 1 line of the old record" in standing.penstock("detector", "40").stderr
    standing.lines("40", "--submit")
    assert standing.lines("4") == []
    standing.lines("export", str(tmp_path / "out"))
    place = tmp_path / "out/pixel_status/XPP"
    assert [*read_lines(place / f"{CONTROLLED}-arch-runs.txt").runs] == [800, 900]
    assert [*read_lines(place / f"{CONTROLLED}-proc-runs.txt").runs] == [1]


def test_marked_runs_are_exported_with_who_marked_them_and_logs_have_the_old_names(
    standing: Hutch, tmp_path: Path
) -> None:
    standing.lines("mark", "--submit")
    with (standing.folder / "penstock.toml").open("a") as file:
        file.write('\n[stage.say]\neach = "run"\nwhere = "controlled"\ncommand = ["echo", "frames"]\n')
    standing.penstock("run")
    standing.lines("export", str(tmp_path / "out"), "--process", "say", "--logs")
    folder = tmp_path / f"out/say/XPP/{CONTROLLED}"
    names = sorted(path.name for path in folder.iterdir())
    assert [name[:21] for name in names] == [f"log-{CONTROLLED}-r000{run}-20" for run in (1, 2, 3)]
    assert {path.read_text() for path in folder.iterdir()} == {"frames\n"}
    standing.lines("export", str(tmp_path / "out"))
    lines = read_lines(tmp_path / f"out/pixel_status/XPP/{CONTROLLED}-proc-runs.txt").runs
    assert sorted(lines) == [1, 2, 3]


def test_the_log_of_a_run_that_failed_says_so_in_its_name(hutch: Hutch, tmp_path: Path) -> None:
    hutch.begin()
    hutch.take(CONTROLLED, 1)
    with (hutch.folder / "penstock.toml").open("a") as file:
        file.write(
            '\n[stage.say]\neach = "run"\ncommand = ["sh", "-c", "echo no beam; exit 3"]\nretry = { error = 0 }\n'
        )
    assert hutch.penstock("run").returncode == 1
    hutch.lines("export", str(tmp_path / "out"), "--process", "say", "--logs")
    (log,) = (tmp_path / f"out/say/XPP/{CONTROLLED}").iterdir()
    assert (log.name[:21], log.name[-9:]) == (f"log-{CONTROLLED}-r0001-20", ".txt-EXIT")
    assert log.read_text() == "no beam\n"
    assert not (tmp_path / f"out/say/XPP/{CONTROLLED}-proc-runs.txt").exists()


def test_incomplete_and_archived_runs_are_told_apart_from_others(hutch: Hutch) -> None:
    hutch.begin(streams=2)
    hutch.take(CONTROLLED, 1, streams=(0,))
    hutch.take(CONTROLLED, *range(2, 9), streams=(0, 1))
    assert dict(line.split()[:2] for line in hutch.lines("new")) == {
        f"XPP/{CONTROLLED}/0001": "incomplete:",
        **{f"XPP/{CONTROLLED}/000{run}": "ready" for run in range(2, 9)},
    }
    hutch.path(CONTROLLED, 2).unlink()
    hutch.path(CONTROLLED, 2, 1).unlink()
    hutch.lines("archive", "--submit")
    told = json.loads("".join(hutch.lines("statistics", "--json")))["counts"][-1]
    assert (told["incomplete"], told["ready"], told["archived"]) == (1, 6, 1)


def test_a_map_is_taken_out_of_force(hutch: Hutch) -> None:
    hutch.begin(store=Store("calib/{experiment}", "Camera::CalibV1", "Dev.0:Cam.0"))
    hutch.take(CONTROLLED, 1, 2)
    assert hutch.penstock("run").returncode == 0
    place = Place(hutch.folder / f"calib/{CONTROLLED}", "Camera::CalibV1", "Dev.0:Cam.0")
    assert in_force(place, 9) == place.folder / "2-end.data"
    hutch.lines("undeploy", CONTROLLED, "2")
    assert in_force(place, 9) == place.folder / "2-end.data"
    (said,) = hutch.lines("undeploy", CONTROLLED, "2", "--submit")
    assert said == f"{place.folder / '1-end.data'} is in force for run 2"
    refused = hutch.penstock("detector", "undeploy", CONTROLLED, "2", "--submit")
    assert (refused.returncode, "cannot be taken out" in refused.stderr) == (2, True)


def test_masks_and_trends_are_written_for_others_on_request(hutch: Hutch, tmp_path: Path) -> None:
    hutch.begin()
    hutch.take(CONTROLLED, 1, faults={5: "dead", 100: "saturated"})
    assert hutch.penstock("run").returncode == 0
    made = {}
    for form, name in (("nexus", "m.h5"), ("pyfai", "m.npy"), ("psana", "m.txt")):
        assert hutch.lines("mask", CONTROLLED, "1", str(tmp_path / name), "--form", form) == []
        polarity = "0 is bad" if form == "psana" else "1 is bad"
        made[form] = Mask.read(tmp_path / name, polarity).bad.reshape(-1)
    assert {form: [*map(int, np.flatnonzero(bad))] for form, bad in made.items()} == {
        form: [5, 100] for form in made
    }
    (said,) = hutch.lines("trend", CONTROLLED, str(tmp_path / "now"))
    assert said == f"see {tmp_path / f'now/{CONTROLLED}.html'}"
    assert (tmp_path / f"now/{CONTROLLED}.csv").read_text().splitlines()[1].startswith("1,60,192,2,")
    refused = hutch.penstock("detector", "mask", CONTROLLED, "2", str(tmp_path / "x.h5"))
    assert (refused.returncode, "has made nothing of run 2" in refused.stderr) == (2, True)
