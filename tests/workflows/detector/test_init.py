"""What `penstock init detector` writes, and that the engine takes it."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from tests.workflows.detector.conftest import Hutch

from penstock.errors import DefinitionError
from penstock.workflows.detector import plugin

STORE = ("--calib", "calib/{experiment}", "--group", "Camera::CalibV1", "--source", "Dev.0:Cam.0")


def init(folder: Path, *words: Any) -> Result:
    return CliRunner().invoke(plugin.init, [str(word) for word in (folder, *words)], catch_exceptions=False)


def written(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "penstock.toml").read_text())


def test_a_folder_of_data_is_enough_and_experiments_are_named_later(tmp_path: Path) -> None:
    shown = init(tmp_path / "c", "--data", tmp_path / "data")
    assert "name experiments in" in shown.output
    assert set(written(tmp_path / "c")["stage"]) == {"pixel_status", "trend"}
    assert (tmp_path / "c/experiments.txt").read_text().startswith("#")
    checked = subprocess.run([sys.executable, "-m", "penstock", "check"], cwd=tmp_path / "c", check=False)
    assert checked.returncode == 0


def test_everything_that_is_asked_for_is_there_and_valid(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("xpptut15\n")
    words = ("--data", tmp_path / "{experiment}/{run:d}-{stream}.npy", "--experiments", tmp_path / "list.txt")
    more = (
        "--process",
        "status",
        "--process",
        "dark=dark",
        "--streams",
        6,
        "--part-frames",
        500,
        "--texts",
        "--jobs",
        8,
    )
    assert init(tmp_path / "c", *words, *more, *STORE).exit_code == 0
    made = written(tmp_path / "c")
    assert list(made["stage"]) == ["split", "status_sums", "status", "dark_sums", "dark", "deploy", "trend"]
    assert made["units"]["complete"]["run"] == "count 6 of stream"
    assert made["units"]["derive"] == {"instrument": "upper(experiment[:3])"}
    assert made["units"]["many"] == ["stream"]
    assert made["stage"]["dark"]["params"] == {"mode": "dark"}
    assert [made["stage"][name].get("max_running") for name in ("split", "status_sums", "dark")] == [
        None,
        8,
        8,
    ]
    assert made["campaign"]["fair"] == "experiment"
    assert made["stage"]["deploy"]["after"] == [{"stage": "status", "products": ["status"]}]
    assert (tmp_path / "c/experiments.txt").read_text() == "xpptut15\n"
    checked = subprocess.run([sys.executable, "-m", "penstock", "check"], cwd=tmp_path / "c", check=False)
    assert checked.returncode == 0


def test_with_all_there_is_no_list(tmp_path: Path) -> None:
    assert init(tmp_path / "c", "--data", tmp_path, "--all").exit_code == 0
    assert not (tmp_path / "c/experiments.txt").exists()


def test_runs_may_go_to_a_cluster_and_be_done_again_when_they_change(tmp_path: Path) -> None:
    assert init(tmp_path / "c", "--data", tmp_path, "--scheduler", "lsf", "--changed", "redo").exit_code == 0
    made = written(tmp_path / "c")
    assert made["units"]["changed"] == "redo"
    assert (made["campaign"]["site"], made["site"]["lsf"]) == ("lsf", {"scheduler": "lsf"})
    checked = subprocess.run([sys.executable, "-m", "penstock", "check"], cwd=tmp_path / "c", check=False)
    assert checked.returncode == 0


def test_files_without_streams_are_counted_themselves(tmp_path: Path) -> None:
    assert init(tmp_path / "c", "--data", tmp_path / "{experiment}/{run:d}-{chunk}.h5", "--streams", 2)
    assert written(tmp_path / "c")["units"]["complete"]["run"] == "count 2"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--data", "d/{experiment}/a.h5"), "has no {run}"),
        (("--data", "d/{run:04d}.h5"), "has no {experiment}"),
        (("--data", "d", "--process", "a-b"), "cannot be the name of a process"),
        (("--data", "d", "--process", "trend"), "cannot be the name of a process"),
        (("--data", "d", "--process", "a=fast"), "'fast' is no mode"),
        (("--data", "d", "--process", "a", "--process", "a=dark"), "named twice"),
        (("--data", "d", *STORE[:4]), "add --source"),
    ],
)
def test_a_wrong_wish_is_one_sentence_and_nothing_is_written(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    with pytest.raises(DefinitionError, match=said):
        init(tmp_path / "c", *words)
    assert not (tmp_path / "c").exists()


def test_every_option_is_explained_and_every_command_shows_its_help_without_numbers() -> None:
    for command in (plugin.init, plugin.demo, *plugin.group.commands.values()):
        assert all(isinstance(p, click.Argument) or getattr(p, "help", "") for p in command.params)
    code = "import sys, penstock.workflows.detector.plugin; print({'numpy', 'h5py'} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"


def test_only_controlled_experiments_are_processed_and_others_once_they_are_named(hutch: Hutch) -> None:
    hutch.begin("xpptut15")
    hutch.take("xpptut15", 0, 3)
    hutch.take("cxil2316", 1)
    assert hutch.penstock("run").returncode == 0
    place = hutch.folder / "pixel_status"
    assert sorted(path.stem for path in place.glob("*/*/*.h5")) == ["r0000", "r0003"]
    assert [line.split()[:2] for line in hutch.lines("new", "--all")] == [["CXI/cxil2316/0001", "seen"]]
    assert hutch.lines("new") == []
    (hutch.folder / "experiments.txt").write_text("xpptut15\ncxil2316\n")
    assert hutch.penstock("run").returncode == 0
    assert (place / "CXI/cxil2316/r0001.html").exists()
    assert "stale" not in hutch.penstock("status").stdout


def test_a_run_in_parts_is_judged_as_a_whole_one_and_has_the_old_texts(hutch: Hutch) -> None:
    hutch.begin(part_frames=25, texts=True)
    hutch.take("xpptut15", 3, streams=(0, 1))
    assert hutch.penstock("run").returncode == 0
    texts = hutch.folder / "pixel_status/XPP/xpptut15/r0003-texts"
    assert sorted(path.name for path in texts.iterdir())[0] == "r0003-ave.txt"
    assert len([*(hutch.folder / "pixel_status/XPP/xpptut15/r0003-sums").glob("*.h5")]) == 5
    assert (hutch.folder / "trend/XPP/xpptut15.csv").read_text().splitlines()[1].startswith("3,120,192,1,,,")


def test_a_stream_of_several_chunks_is_one_stream(hutch: Hutch) -> None:
    hutch.begin(streams=2)
    hutch.take("xpptut15", 3, streams=(0,), chunks=(0, 1))
    hutch.take("xpptut15", 4, streams=(0, 1), chunks=(0, 1))
    assert hutch.penstock("tick").returncode == 0
    assert "1 of 2 values of stream have arrived" in hutch.penstock("why", "XPP/xpptut15/3").stdout
    assert "values of stream" not in hutch.penstock("why", "XPP/xpptut15/4").stdout
