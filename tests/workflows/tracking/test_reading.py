"""Files of trajectories: every format, its units, and what is wrong in them."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.reading import read_trajectories
from penstock.workflows.tracking.table import read_table
from penstock.workflows.tracking.translocations import find_translocations
from penstock.workflows.tracking.units import Scales

TRACKMATE = """LABEL,ID,TRACK_ID,POSITION_X,POSITION_Y,POSITION_Z,POSITION_T,FRAME
Label,Spot ID,Track ID,X,Y,Z,T,Frame
Label,Spot ID,Track ID,X,Y,Z,T,Frame
,,,({unit}),({unit}),({unit}),(sec),
a,1,7,1000,2000,0,0.0,0
b,2,7,1100,2000,0,0.02,1
c,3,,9000,9000,0,0.02,1
"""
SESSION = """<TrackMate version="7"><Model spatialunits="pixel" timeunits="sec">
<AllSpots><SpotsInFrame frame="0"><Spot ID="1" POSITION_X="1" POSITION_Y="1" POSITION_Z="0" FRAME="0"/>
<Spot ID="2" POSITION_X="2" POSITION_Y="1" POSITION_Z="0" FRAME="1"/>
<Spot ID="3" POSITION_X="3" POSITION_Y="1" POSITION_Z="0" FRAME="2"/>
<Spot ID="4" POSITION_X="3" POSITION_Y="2" POSITION_Z="0" FRAME="2"/>
<Spot ID="5" POSITION_X="4" POSITION_Y="2" POSITION_Z="0" FRAME="3"/></SpotsInFrame></AllSpots>
<AllTracks><Track TRACK_ID="0"><Edge SPOT_SOURCE_ID="1" SPOT_TARGET_ID="2"/><Edge SPOT_SOURCE_ID="3" SPOT_TARGET_ID="2"/>
<Edge SPOT_SOURCE_ID="2" SPOT_TARGET_ID="4"/><Edge SPOT_SOURCE_ID="4" SPOT_TARGET_ID="5"/></Track></AllTracks></Model>
<Settings><ImageData timeinterval="0.05"/></Settings></TrackMate>"""


def written(folder: Path, text: str, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("delimiter", [" ", "\t", ",", ", ", ";"])
@pytest.mark.parametrize("header", ["", "n{0}x{0}y{0}t\n"])
def test_a_plain_table_is_trajectory_micrometres_seconds(tmp_path: Path, delimiter: str, header: str) -> None:
    rows = [["1", "0.5", "0.25", "0.01"], ["1", "0.75", "0.5", "0.02"]]
    text = header.format(delimiter) + "".join(delimiter.join(row) + "\n" for row in rows)
    made = read_trajectories(written(tmp_path, text, "a.rpt.txt"))
    assert made.n.tolist() == [1, 1]
    assert made.r.tolist() == [[0.5, 0.25], [0.75, 0.5]]
    assert made.t.tolist() == [0.01, 0.02]


def test_columns_may_be_named_in_another_order_and_with_z(tmp_path: Path) -> None:
    path = written(tmp_path, "0.1 5 9.5 1 2 3\n0.2 5 9.5 2 3 5\n")
    made = read_trajectories(path, columns=("t", "n", "quality", "z", "y", "x"))
    assert made.r.tolist() == [[3, 2, 1], [5, 3, 2]]


def test_a_file_of_one_trajectory_has_no_numbers(tmp_path: Path) -> None:
    assert read_trajectories(written(tmp_path, "1 2 0.1\n1 3 0.2\n", "a.xyt")).n.tolist() == [0, 0]


@pytest.mark.parametrize(("unit", "factor"), [("nm", 1e-3), ("micron", 1.0), ("pixel", 0.1)])
def test_trackmate_tables_state_their_units_and_untracked_spots_are_left_out(
    tmp_path: Path, unit: str, factor: float
) -> None:
    made = read_trajectories(written(tmp_path, TRACKMATE.format(unit=unit)), Scales(pixel_size=0.1))
    assert made.r == pytest.approx(factor * np.array([[1000, 2000], [1100, 2000]]))
    assert made.t.tolist() == [0.0, 0.02]
    assert "1 spots of no track left out" in made.told
    assert "z is the same everywhere and is not used" in made.told


@pytest.mark.parametrize(
    "text",
    [
        TRACKMATE.format(unit="pixel"),
        "x,y,frame,particle\n1,2,0,0\n2,3,1,0\n",
        "id,frame,x [px],y [px],track\n1,1,5,5,1\n2,2,6,6,1\n",
    ],
)
def test_a_pixel_is_never_read_as_a_micrometre(tmp_path: Path, text: str) -> None:
    with pytest.raises(DefinitionError, match="positions are in pixels; give pixel_size"):
        read_trajectories(written(tmp_path, text), Scales(frame_interval=0.02))


def test_trackpy_needs_both_scales_and_keeps_gaps(tmp_path: Path) -> None:
    path = written(tmp_path, "y,x,frame,particle\n10,20,0,0\n10,22,1,0\n10,24,5,0\n")
    with pytest.raises(DefinitionError, match="times are in frames; give frame_interval"):
        read_trajectories(path, Scales(pixel_size=0.1))
    made = read_trajectories(path, Scales(pixel_size=0.1, frame_interval=0.02))
    assert made.r == pytest.approx(np.array([[2.0, 1.0], [2.2, 1.0], [2.4, 1.0]]))
    assert find_translocations(made).dt == pytest.approx([0.02, 0.08])
    assert find_translocations(made, max_gap=0.04).dt == pytest.approx([0.02])


def test_thunderstorm_has_no_trajectories_until_its_points_are_linked(tmp_path: Path) -> None:
    text = "id;frame;x [nm];y [nm]\n1;1;100,5;200\n2;1;900;900\n3;2;905;905\n4;2;110,5;205\n5;3;5000;5000\n"
    path, scales = written(tmp_path, text), Scales(frame_interval=0.01)
    with pytest.raises(DefinitionError, match="the file has no trajectories; give `link`"):
        read_trajectories(path, scales)
    made = read_trajectories(path, scales, link=0.05)
    steps = find_translocations(made)
    assert steps.dr == pytest.approx(np.array([[0.01, 0.005], [0.005, 0.005]]))


def test_trackmate_xml_of_tracks_counts_frames(tmp_path: Path) -> None:
    text = """<Tracks nTracks="1" spaceUnits="µm" frameInterval="20" timeUnits="ms"><particle nSpots="2">
<detection t="3" x="1.5" y="2.5" z="0"/><detection t="5" x="1.75" y="2.5" z="0"/></particle></Tracks>"""
    made = read_trajectories(written(tmp_path, text, "a.xml"))
    assert made.r.tolist() == [[1.5, 2.5], [1.75, 2.5]]
    assert made.t == pytest.approx([0.06, 0.1])


def test_a_branch_of_a_trackmate_session_is_a_trajectory_of_its_own(tmp_path: Path) -> None:
    made = read_trajectories(written(tmp_path, SESSION, "a.xml"), Scales(pixel_size=0.5))
    rows = {int(n): made.r[made.n == n, 0].tolist() for n in np.unique(made.n)}
    assert sorted(rows.values()) == [[0.5, 1.0], [1.5], [1.5, 2.0]]
    assert np.unique(made.t) == pytest.approx([0, 0.05, 0.1, 0.15])


def test_picasso_takes_its_pixel_from_the_file_beside_it(tmp_path: Path) -> None:
    rows = np.array(
        [(0, 1.0, 2.0, 4), (1, 1.5, 2.0, 4)],
        dtype=[("frame", "u4"), ("x", "f4"), ("y", "f4"), ("group", "i4")],
    )
    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["locs"] = rows
    with pytest.raises(DefinitionError, match="pixel_size"):
        read_trajectories(tmp_path / "a.hdf5", Scales(frame_interval=0.1))
    written(tmp_path, "Frames: 2\n---\nPixelsize: 130\n", "a.yaml")
    made = read_trajectories(tmp_path / "a.hdf5", Scales(frame_interval=0.1))
    assert made.r == pytest.approx(np.array([[0.13, 0.26], [0.195, 0.26]]))
    assert made.n.tolist() == [4, 4]


def test_rounded_times_snap_to_stated_frames_and_are_told_otherwise(tmp_path: Path) -> None:
    rows = "".join(f"1 {i} 0 {np.floor(i * 1.5 + 0.5) / 100:.2f}\n" for i in range(20))
    path = written(tmp_path, rows, "a.txt")
    assert any("0.01 s and 0.02 s" in text for text in read_trajectories(path).told)
    made = read_trajectories(path, Scales(frame_interval=0.015))
    assert np.diff(made.t) == pytest.approx(np.full(19, 0.015))
    wrong = read_trajectories(path, Scales(frame_interval=0.02))
    assert any("not 0.02 s as stated" in text for text in wrong.told)


def test_a_row_that_is_not_finite_splits_its_trajectory(tmp_path: Path) -> None:
    text = "1 0 0 0.1\n1 1 0 0.2\n1 nan 0 0.3\n1 3 0 0.4\n1 4 0 0.5\n2 0 0 0.1\n2 inf 0 0.2\n"
    made = read_trajectories(written(tmp_path, text))
    assert find_translocations(made).r[:, 0].tolist() == [0, 3]
    assert len(np.unique(made.n)) == 3
    assert "2 rows are not finite: left out, and their trajectories split there" in made.told


def test_rows_are_sorted_and_told_and_doubles_left_out(tmp_path: Path) -> None:
    text = "2 9 9 0.1\n1 5 5 0.2\n1 4 4 0.1\n1 4 4 0.1\n"
    made = read_trajectories(written(tmp_path, text))
    assert made.n.tolist() == [1, 1, 2]
    assert made.t.tolist() == [0.1, 0.2, 0.1]
    assert len(made.told) == 2


def test_a_particle_at_two_places_at_once_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"trajectory 1 is at two places at 0.1 s, one of 1 such rows"):
        read_trajectories(written(tmp_path, "1 0 0 0.1\n1 5 5 0.1\n"))


def test_trajectories_of_several_files_stay_apart(tmp_path: Path) -> None:
    text = "1 0 0 0.1\n1 1 0 0.2\n7 1 0 0.2\n"
    made = read_trajectories([written(tmp_path, text, "a.csv"), written(tmp_path, text, "b.csv")])
    assert made.n.tolist() == [0, 0, 1, 2, 2, 3]
    assert len(find_translocations(made)) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("1 2 3 4\n1 2 three 5\n", "row 2: '1 2 three 5' has no number"),
        ("1 2 3 4\n1 2\n", "row 2: '1 2' has no number"),
        ("n,x,t\n1,1,1\n", "has no column y among n, x, t"),
    ],
)
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        read_trajectories(written(tmp_path, text))


def test_a_table_of_windows_with_its_own_micro_sign_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("track,x [µm],y [µm],t [s]\n1,1,2,0\n1,2,2,1\n".encode("cp1252"))
    assert read_table(path).names[1] == "x [µm]"
    assert read_trajectories(path).r.tolist() == [[1, 2], [2, 2]]
