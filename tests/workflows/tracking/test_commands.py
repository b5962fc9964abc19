"""`penstock tracking`: files are described and made up, and maps become pictures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from penstock.errors import DefinitionError
from penstock.workflows.tracking.commands import group
from penstock.workflows.tracking.inference import Settings, infer
from penstock.workflows.tracking.listing import align
from penstock.workflows.tracking.products import collect
from penstock.workflows.tracking.reading import read_trajectories
from penstock.workflows.tracking.tessellation import tessellate
from penstock.workflows.tracking.translocations import find_translocations
from penstock.workflows.tracking.truth import Truth


def tracking(*words: object) -> Result:
    return CliRunner().invoke(group, [*map(str, words)], catch_exceptions=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_trajectories_are_made_up_and_described(here: Path) -> None:
    made = tracking(
        "simulate", "a.rpt.txt", "--trajectories", 30, "--length", 11, "--well", "1,1,0.3,2", "--patch", "0.5,1.5,0.3,-0.05",
        "--box", "0,2,0,2", "--roi", "0,2,0,2", "--roi", "4,3,0,1", "--dt", 0.02, "--sigma", 0, "--json",
    )  # fmt: skip
    assert json.loads(made.output) == {
        "file": "a.rpt.txt", "points": 330, "regions": 2, "truth": "a.rpt-truth.json",
    }  # fmt: skip
    truth = Truth.parse(Path("a.rpt-truth.json").read_text("utf-8"))
    assert (truth.wells, truth.patches) == (((1, 1, 0.3, 2),), ((0.5, 1.5, 0.3, -0.05),))
    (told,) = json.loads(tracking("look", "a.rpt.txt", "--json").output)
    assert (told["points"], told["trajectories"], told["steps"], told["dt_s"]) == (330, 30, 300, 0.02)
    assert (told["regions"], told["told"]) == ({"roi000": 300, "roi001": 0}, [])
    lines = tracking("look", "a.rpt.txt").output.splitlines()
    assert lines[0].startswith("a.rpt.txt: 30 trajectories, 330 points, 300 steps in 2-D, 0.02 s and ")
    assert lines[1:] == ["  roi000: 300 steps", "  roi001: x min 4 is not below x max 3"]


def test_a_file_whose_pixels_are_of_unknown_size_is_a_question(here: Path) -> None:
    Path("a.csv").write_text("particle,x,y,frame\n1,2,3,0\n1,2,4,1\n", "utf-8")
    with pytest.raises(DefinitionError, match="give pixel_size"):
        tracking("look", "a.csv")
    shown = tracking("look", "a.csv", "--pixel-size", 0.1, "--frame-interval", 0.02)
    assert "1 trajectories, 2 points, 1 steps in 2-D, 0.02 s and 0.1 µm" in shown.output


def test_numbers_that_are_not_as_many_as_named_are_refused(here: Path) -> None:
    shown = tracking("simulate", "a.txt", "--well", "1,1,0.3")
    assert (shown.exit_code, "'1,1,0.3' is not 4 numbers: X,Y,WIDTH,DEPTH" in shown.output) == (2, True)


def test_maps_are_drawn_all_in_one_picture_or_one_alone(here: Path) -> None:
    tracking("simulate", "a.txt", "--trajectories", 60, "--well", "1,1,0.3,2")
    seen = read_trajectories(Path("a.txt"))
    steps = find_translocations(seen)
    sampling = tessellate(steps, seen.box())
    collect(Path("a.maps.h5"), {"roi007": (infer(sampling, steps, Settings(0.02)), sampling, steps)}, {})
    assert tracking("plot", "a.maps.h5").output == "wrote a-roi007.png\n"
    assert Path("a-roi007.png").read_bytes().startswith(b"\x89PNG")
    shown = tracking("plot", "a.maps.h5", "roi007", "--what", "force", "--out", "f.pdf", "--json")
    assert json.loads(shown.output) == {"picture": "f.pdf", "region": "roi007"}
    assert Path("f.pdf").read_bytes().startswith(b"%PDF")
    for words, why in (
        (["roi9"], "has no region roi9; it has roi007"),
        (["--what", "drift"], "has no 'drift'"),
    ):
        with pytest.raises(DefinitionError, match=why):
            tracking("plot", "a.maps.h5", *words)


def test_numbers_stand_to_the_right() -> None:
    assert [*align(("name", "n"), [("a", ""), ("bc", "17")])] == ["name   n", "a", "bc    17"]
