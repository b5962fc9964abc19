"""A map is deployed whole or not at all, compared with the one in force, and taken out again."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.detector.deploying import (
    Conditions,
    Place,
    compare,
    deploy,
    in_force,
    undeploy,
)
from penstock.workflows.detector.faults import Refused
from penstock.workflows.detector.ndarrayfile import read_text, text_of

FREE = Conditions(1, 1, 1)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, "CsPad::CalibV1", "CxiDs1.0:Cspad.0")


def status_with(*bad: int, shape: tuple[int, ...] = (2, 10, 10)) -> np.ndarray:
    made = np.zeros(shape, np.uint16)
    made.flat[list(bad)] = 8
    return made


def bad_in(path: Path | None) -> list[int]:
    assert path is not None
    return np.flatnonzero(read_text(path)[0]).tolist()


def history(place: Place) -> list[list[str]]:
    return [line.split()[:2] for line in (place.folder / "HISTORY").read_text().splitlines()]


def test_a_map_holds_from_its_run_on(place: Place) -> None:
    deploy(place, 59, status_with(3), about={"EXPERIMENT": "e1234"})
    deploy(place, 80, status_with(3, 4))
    assert place.folder.relative_to(place.calib).as_posix() == "CsPad::CalibV1/CxiDs1.0:Cspad.0/pixel_status"
    assert [in_force(place, run) and in_force(place, run).name for run in (58, 59, 79, 80, 900)] == [
        None, "59-end.data", "59-end.data", "80-end.data", "80-end.data",
    ]  # fmt: skip
    assert bad_in(in_force(place, 81)) == [3, 4]
    assert history(place) == [["59-end.data", "deployed"], ["80-end.data", "deployed"]]


def test_a_map_with_a_last_run_holds_up_to_it(place: Place) -> None:
    deploy(place, 1, status_with(1))
    (place.folder / "5-7.data").write_bytes(text_of(status_with(2), {}))
    assert [bad_in(in_force(place, run)) for run in (4, 5, 7, 8)] == [[1], [2], [2], [1]]


def test_a_deployment_says_what_changed(place: Place) -> None:
    assert str(deploy(place, 1, status_with(1, 2))) == "2 of 200 pixels bad (1.00%), no map in force before"
    said = str(deploy(place, 5, status_with(2, 3, 4)))
    assert said == "3 of 200 pixels bad (1.50%), 2 newly bad and 1 newly good since 1-end.data"


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        (Conditions(bad=0.01), "1.50% of the pixels are bad, at most 1.00% may be"),
        (Conditions(newly_bad=0.005), "1.00% of the pixels are newly bad, at most 0.50%"),
        (Conditions(newly_good=0.001), "0.50% of the pixels are newly good, at most 0.10%"),
    ],
)
def test_what_does_not_keep_the_conditions_is_refused(
    place: Place, conditions: Conditions, said: str
) -> None:
    deploy(place, 1, status_with(1, 2))
    with pytest.raises(Refused, match=said):
        deploy(place, 5, status_with(2, 3, 4), conditions=conditions)
    assert in_force(place, 5) == place.folder / "1-end.data"


def test_a_map_whose_pixels_are_all_bad_is_refused_by_the_fraction(place: Place) -> None:
    with pytest.raises(Refused, match=r"100.00% of the pixels are bad"):
        deploy(place, 1, np.full((2, 3), 172, np.uint16))
    assert in_force(place, 1) is None


def test_a_map_of_another_shape_or_detector_is_refused(place: Place) -> None:
    deploy(place, 1, status_with(1), detector="cspad-0042")
    with pytest.raises(Refused, match=r"1-end.data in force is of \(2, 10, 10\), this map of \(4, 5, 10\)"):
        deploy(place, 5, status_with(shape=(4, 5, 10)))
    with pytest.raises(Refused, match="of the detector cspad-0042, this map of cspad-0043"):
        deploy(place, 5, status_with(1), detector="cspad-0043")
    deploy(place, 5, status_with(1), detector="cspad-0042")


def test_a_map_that_names_no_detector_is_followed_by_one_that_does(place: Place) -> None:
    deploy(place, 1, status_with(1))
    deploy(place, 5, status_with(1), detector="cspad-0042")
    assert in_force(place, 5) == place.folder / "5-end.data"


@pytest.mark.parametrize("status", [None, np.zeros((2, 2)), np.zeros((0, 2), np.uint16)])
def test_what_is_no_map_is_refused(place: Place, status: np.ndarray | None) -> None:
    with pytest.raises(Refused):
        deploy(place, 1, status)
    assert not place.folder.exists()


def test_a_map_in_force_without_a_header_is_compared_by_its_pixels(place: Place) -> None:
    place.folder.mkdir(parents=True)
    np.savetxt(place.folder / "0-end.data", status_with(3).reshape(-1, 10), fmt="%d")
    found = compare(place, 9, status_with(3, 7))
    assert (found.newly_bad, found.newly_good) == (1, 0)


def test_the_map_that_is_replaced_is_kept_and_comes_back(place: Place) -> None:
    for bad in ((1,), (2,), (3,)):
        deploy(place, 5, status_with(*bad))
    assert bad_in(undeploy(place, 5)) == [2]
    assert bad_in(undeploy(place, 5)) == [1]
    assert undeploy(place, 5) is None
    with pytest.raises(Refused, match=r"5-end.data is not there"):
        undeploy(place, 5)
    assert [act for _, act in history(place)] == ["deployed"] * 3 + ["withdrawing", "withdrawn"] * 3
    assert len([*(place.folder / ".withdrawn").iterdir()]) == 3


def test_an_earlier_runs_map_holds_again_when_a_later_one_is_withdrawn(place: Place) -> None:
    deploy(place, 1, status_with(1))
    deploy(place, 5, status_with(2))
    assert undeploy(place, 5) == place.folder / "1-end.data"


def test_deploying_the_same_map_again_changes_nothing(place: Place) -> None:
    deploy(place, 5, status_with(2))
    before = sorted(path.name for path in place.folder.iterdir()), history(place)
    deploy(place, 5, status_with(2))
    assert (sorted(path.name for path in place.folder.iterdir()), history(place)) == before


@pytest.mark.parametrize("name", ["a/b", "", "..", ".hidden"])
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DefinitionError, match="cannot be the name of a folder"):
        Place(tmp_path, "g", name)


TOUCHES = ("open", "os.rename", "os.link", "os.remove", "os.mkdir")


def killed_before(touch: int, act: Callable[[], object], folder: Path) -> bool:
    """Do something in a child that dies, without any clean-up, before its n-th touch of a folder; say whether it did."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = [touch]

    def count(event: str, args: tuple[object, ...]) -> None:
        if event in TOUCHES and args and str(folder) in str(args[0]):
            left[0] -= 1
            if left[0] < 0:
                os._exit(9)

    sys.addaudithook(count)
    try:
        act()
    finally:
        os._exit(0)


def every_kill(place: Place, maps: tuple[int, ...], act: Callable[[Place], object]) -> Iterator[Place]:
    """Give places where maps were deployed and an act was killed, each before another touch of the disk."""
    for touch in range(100):
        here = Place(place.calib, "g", f"s{touch}")
        for bad in maps:
            deploy(here, 5, status_with(bad))
        if not killed_before(touch, lambda here=here: act(here), here.calib):
            assert touch > 8
            return
        yield here


def test_a_deployment_killed_anywhere_leaves_a_whole_map_and_is_completed_by_another(place: Place) -> None:
    def act(here: Place) -> None:
        deploy(here, 5, status_with(2))

    for here in every_kill(place, (1,), act):
        assert bad_in(in_force(here, 5)) in ([1], [2])
        act(here)
        assert bad_in(in_force(here, 5)) == [2]
        assert [act for _, act in history(here)] == ["deployed", "deployed"]
        assert bad_in(undeploy(here, 5)) == [1]
        assert undeploy(here, 5) is None


def test_a_deployment_killed_anywhere_can_be_withdrawn(place: Place) -> None:
    for here in every_kill(place, (1,), lambda here: deploy(here, 5, status_with(2))):
        if bad_in(in_force(here, 5)) == [2]:
            assert bad_in(undeploy(here, 5)) == [1]
        assert undeploy(here, 5) is None


def test_a_withdrawal_killed_anywhere_takes_out_one_map_when_done_again(place: Place) -> None:
    for here in every_kill(place, (1, 2, 3), lambda here: undeploy(here, 5)):
        assert bad_in(in_force(here, 5)) in ([3], [2])
        undeploy(here, 5)
        assert bad_in(in_force(here, 5)) == [2]
        assert history(here)[-1] == ["5-end.data", "withdrawn"]
