"""Frames are read from what is really stored; everything else is told, and nothing of it is read as zeros."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from penstock.workflows.detector.faults import Incomplete, Unreadable
from penstock.workflows.detector.frames import Run, open_run
from penstock.workflows.detector.passes import measure
from penstock.workflows.detector.selection import Selection
from penstock.workflows.detector.settings import Settings

DATA = "entry/data/data"
SHAPE = (12, 16)


def frames_of(number: int, *, seed: int = 1, dtype: Any = np.uint16) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 2000, (number, *SHAPE)).astype(dtype)


def write(path: Path, data: np.ndarray, name: str = DATA, **options: Any) -> Path:
    with h5py.File(path, "w") as file:
        file.create_dataset(name, data=data, **options)
    return path


def all_of(run: Run, size: int = 5) -> np.ndarray:
    return np.concatenate([each.copy() for each in run.blocks(size)] or [np.empty((0, *run.shape))])


def test_streams_of_a_run_are_read_as_one_in_the_order_of_their_names(tmp_path: Path) -> None:
    parts = [frames_of(n, seed=n) for n in (7, 4, 9)]
    for i, part in enumerate(parts):
        write(tmp_path / f"e1234-r0059-s0{i}-c00.h5", part, chunks=(1, *SHAPE))
    run = open_run([*tmp_path.iterdir()])
    assert (len(run), run.shape, run.told) == (20, SHAPE, [])
    np.testing.assert_array_equal(all_of(run), np.concatenate(parts))
    np.testing.assert_array_equal(
        np.concatenate([each.copy() for each in run.blocks(3, first=5, last=13)]), np.concatenate(parts)[5:13]
    )


def test_an_array_of_numpy_is_a_run_too(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", frames_of(6))
    run = open_run([tmp_path / "a.npy"])
    np.testing.assert_array_equal(all_of(run), frames_of(6))
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-10])
    with pytest.raises(Incomplete, match=r"a.npy is truncated"):
        open_run([tmp_path / "a.npy"])


def test_samples_are_from_all_over_a_run_and_first_ones_from_its_begin(tmp_path: Path) -> None:
    for i in (0, 1):
        write(tmp_path / f"s{i}.h5", frames_of(10, seed=i))
    run, whole = open_run([*tmp_path.iterdir()]), np.concatenate([frames_of(10, seed=i) for i in (0, 1)])
    np.testing.assert_array_equal(run.sample(3), whole[[0, 10, 19]])
    np.testing.assert_array_equal(run.first(13), whole[:13])
    np.testing.assert_array_equal(run.sample(100), whole)


def test_frames_whose_chunks_were_never_written_do_not_count(tmp_path: Path) -> None:
    path, data = tmp_path / "a.h5", frames_of(10)
    with h5py.File(path, "w") as file:
        made = file.create_dataset(DATA, (10, *SHAPE), np.uint16, chunks=(1, 6, 16))
        for i in (0, 1, 2, 5, 8):
            made[i] = data[i]
        made[9, :6] = data[9, :6]  # half of a frame
    run = open_run([path])
    assert len(run) == 5
    assert run.told == [f"{path}:{DATA}: 5 of 10 frames were never stored; left out"]
    np.testing.assert_array_equal(all_of(run), data[[0, 1, 2, 5, 8]])


def test_a_dataset_that_nobody_wrote_has_no_frames(tmp_path: Path) -> None:
    for options in ({}, {"chunks": (2, *SHAPE)}):
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file.create_dataset(DATA, (8, *SHAPE), np.uint16, **options)
        run = open_run([tmp_path / "a.h5"])
        assert len(run) == 0
        assert "8 of 8 frames were never stored" in run.told[0]
        assert len(all_of(run)) == 0


@pytest.mark.parametrize("chunks", [(4, *SHAPE), None])
def test_unwritten_frames_beside_written_ones_are_told_and_left_out(tmp_path: Path, chunks: Any) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset(DATA, (8, *SHAPE), np.uint16, chunks=chunks)[:6] = frames_of(6)
    run = open_run([tmp_path / "a.h5"])
    np.testing.assert_array_equal(all_of(run), frames_of(6))
    assert re.search("2 frames left out, all of the fill value 0: never written", run.told[-1])


def test_a_frame_of_zeros_that_was_written_by_itself_counts(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", np.zeros((3, *SHAPE), np.uint16), chunks=(1, *SHAPE))
    assert len(all_of(open_run([tmp_path / "a.h5"]))) == 3


@pytest.mark.parametrize(("dtype", "value"), [(np.uint16, 65535), (np.uint32, 2**32 - 1)])
def test_frames_of_a_sentinel_alone_are_no_images(tmp_path: Path, dtype: Any, value: int) -> None:
    data = frames_of(6, dtype=dtype)
    data[[1, 4]] = value
    data[2, :3] = value  # a detector masks pixels, too: that is an image
    write(tmp_path / "a.h5", data, chunks=(1, *SHAPE))
    run = open_run([tmp_path / "a.h5"])
    np.testing.assert_array_equal(all_of(run), data[[0, 2, 3, 5]])
    assert run.told == [f"{tmp_path}/a.h5:{DATA}: 2 frames left out, {value} in every pixel: no image"]


def master_of(folder: Path, *names: str) -> Path:
    with h5py.File(folder / "master.h5", "w") as file:
        for i, name in enumerate(names, 1):
            file[f"entry/data/data_{i:06d}"] = h5py.ExternalLink(name, DATA)
    return folder / "master.h5"


def test_a_group_of_links_is_read_as_one(tmp_path: Path) -> None:
    for i in (1, 2):
        write(tmp_path / f"d{i}.h5", frames_of(3, seed=i))
    run = open_run([master_of(tmp_path, "d1.h5", "d2.h5")], "entry/data")
    np.testing.assert_array_equal(all_of(run), np.concatenate([frames_of(3, seed=i) for i in (1, 2)]))


def test_numbered_links_are_not_counted_twice_where_one_dataset_shows_them_all(tmp_path: Path) -> None:
    write(tmp_path / "d1.h5", frames_of(3))
    master = master_of(tmp_path, "d1.h5")
    layout = h5py.VirtualLayout((3, *SHAPE), np.uint16)
    layout[:] = h5py.VirtualSource("d1.h5", DATA, (3, *SHAPE))
    with h5py.File(master, "a") as file:
        file.create_virtual_dataset(DATA, layout)
    assert len(open_run([master], "entry/data")) == len(open_run([master])) == 3


def test_frames_of_the_other_byte_order_are_read(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", frames_of(60, dtype=">u2"))
    made = measure(open_run([tmp_path / "a.h5"]), Settings()).judged
    np.testing.assert_allclose(made.most, frames_of(60).max(axis=0))


def test_blocks_are_whole_chunks_of_the_file(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", frames_of(50), chunks=(7, *SHAPE), compression="gzip")
    assert [len(each) for each in open_run([tmp_path / "a.h5"]).blocks()] == [50]
    assert open_run([tmp_path / "a.h5"]).at_once() % 7 == 0


def test_a_run_waits_for_the_file_of_a_dead_link_by_name(tmp_path: Path) -> None:
    write(tmp_path / "d1.h5", frames_of(3))
    master = master_of(tmp_path, "d1.h5", "d2.h5")
    with pytest.raises(Incomplete, match=r"master.h5 waits for d2.h5") as found:
        open_run([master], "entry/data")
    assert found.value.awaited == ("d2.h5",)
    write(tmp_path / "d2.h5", frames_of(2))
    assert len(open_run([master], "entry/data")) == 5


def test_a_link_into_a_file_that_lacks_the_dataset_is_said(tmp_path: Path) -> None:
    write(tmp_path / "d1.h5", frames_of(3), "elsewhere")
    with pytest.raises(
        Unreadable, match=r"data_000001 leads to entry/data/data in d1.h5, which is not there"
    ):
        open_run([master_of(tmp_path, "d1.h5")], "entry/data")


def test_a_wrong_name_is_answered_with_those_there_are(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", frames_of(3))
    with pytest.raises(Unreadable, match="has no entry/image; entry has data"):
        open_run([tmp_path / "a.h5"], "entry/image")


def virtual_of(path: Path, sources: list[tuple[str, int]]) -> Path:
    total = sum(number for _, number in sources)
    layout, begin = h5py.VirtualLayout((total, *SHAPE), np.uint16), 0
    for name, number in sources:
        layout[begin : begin + number] = h5py.VirtualSource(name, DATA, (number, *SHAPE))
        begin += number
    with h5py.File(path, "w", libver="latest") as file:
        file.create_virtual_dataset(DATA, layout, fillvalue=0)
    return path


def test_a_virtual_dataset_counts_what_its_sources_have_stored(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", frames_of(4), chunks=(1, *SHAPE))
    with h5py.File(tmp_path / "b.h5", "w") as file:
        made = file.create_dataset(DATA, (5, *SHAPE), np.uint16, chunks=(1, *SHAPE))
        made[1:4] = frames_of(3, seed=2)
    run = open_run([virtual_of(tmp_path / "all.h5", [("a.h5", 4), ("b.h5", 5)])])
    np.testing.assert_array_equal(all_of(run), np.concatenate([frames_of(4), frames_of(3, seed=2)]))
    assert "2 of 9 frames were never stored" in run.told[0]


def test_a_virtual_dataset_without_a_source_waits_for_it(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", frames_of(4))
    path = virtual_of(tmp_path / "all.h5", [("a.h5", 4), ("b.h5", 5)])
    with h5py.File(path) as file:
        assert not file[DATA][4:].any(), "HDF5 reads zeros, and says nothing"
    with pytest.raises(Incomplete, match=r"b.h5 is not there yet") as found:
        open_run([path])
    assert found.value.awaited == (str(tmp_path / "b.h5"),)


def test_a_frame_of_virtual_panels_needs_all_of_them(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((6, 2, *SHAPE), np.uint16)
    for i, there in enumerate((range(6), (0, 1, 5))):
        with h5py.File(tmp_path / f"p{i}.h5", "w") as file:
            made = file.create_dataset(DATA, (6, *SHAPE), np.uint16, chunks=(1, *SHAPE))
            for j in there:
                made[j] = frames_of(6, seed=i)[j]
        layout[:, i] = h5py.VirtualSource(f"p{i}.h5", DATA, (6, *SHAPE))
    with h5py.File(tmp_path / "all.h5", "w", libver="latest") as file:
        file.create_virtual_dataset(DATA, layout)
    run = open_run([tmp_path / "all.h5"])
    np.testing.assert_array_equal(
        all_of(run), np.stack([frames_of(6, seed=i)[[0, 1, 5]] for i in (0, 1)], axis=1)
    )


def test_frames_that_a_virtual_dataset_takes_from_nowhere_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", frames_of(4))
    layout = h5py.VirtualLayout((8, *SHAPE), np.uint16)
    layout[::2] = h5py.VirtualSource("a.h5", DATA, (4, *SHAPE))
    with h5py.File(tmp_path / "all.h5", "w", libver="latest") as file:
        file.create_virtual_dataset(DATA, layout)
    np.testing.assert_array_equal(all_of(open_run([tmp_path / "all.h5"])), frames_of(4))


def test_a_virtual_dataset_may_grow_with_its_source(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        made = file.create_dataset(DATA, (6, *SHAPE), np.uint16, chunks=(1, *SHAPE), maxshape=(None, *SHAPE))
        made[:4] = frames_of(4)
    source = h5py.VirtualSource("a.h5", DATA, (6, *SHAPE), maxshape=(None, *SHAPE))
    layout = h5py.VirtualLayout((6, *SHAPE), np.uint16, maxshape=(None, *SHAPE))
    layout[: h5py.h5s.UNLIMITED] = source[: h5py.h5s.UNLIMITED]
    with h5py.File(tmp_path / "all.h5", "w", libver="latest") as file:
        file.create_virtual_dataset(DATA, layout)
    run = open_run([tmp_path / "all.h5"])
    np.testing.assert_array_equal(all_of(run), frames_of(4))
    assert "2 of 6 frames were never stored" in run.told[0]


def test_a_virtual_frame_may_be_a_source_without_an_axis_of_frames(tmp_path: Path) -> None:
    layout = h5py.VirtualLayout((3, *SHAPE), np.uint16)
    for i in range(3):
        write(tmp_path / f"f{i}.h5", frames_of(1, seed=i)[0])
        layout[i] = h5py.VirtualSource(f"f{i}.h5", DATA, SHAPE)
    with h5py.File(tmp_path / "all.h5", "w", libver="latest") as file:
        file.create_virtual_dataset(DATA, layout)
    run = open_run([tmp_path / "all.h5"])
    np.testing.assert_array_equal(all_of(run), np.concatenate([frames_of(1, seed=i) for i in range(3)]))


def compressed_by_a_plugin(path: Path) -> Path:
    """Write a dataset whose filter is no part of HDF5: the filter is only named, since raw chunks are written."""
    with h5py.File(path, "w") as file:
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((1, *SHAPE))
        plist.set_filter(32008, h5py.h5z.FLAG_OPTIONAL, (0, 4, 2, 0, 2))
        group = file.create_group("entry/data")
        space = h5py.h5s.create_simple((2, *SHAPE))
        made = h5py.Dataset(h5py.h5d.create(group.id, b"data", h5py.h5t.NATIVE_UINT16, space, plist))
        for i in range(2):
            made.id.write_direct_chunk((i, 0, 0), bytes(100))
    return path


def test_data_of_a_filter_that_is_not_there_names_the_package_that_brings_it(tmp_path: Path) -> None:
    path = compressed_by_a_plugin(tmp_path / "a.h5")
    code = (
        "import sys; sys.modules['hdf5plugin'] = None\n"  # as if it were not installed
        "from pathlib import Path\nfrom penstock.workflows.detector.faults import Unreadable\n"
        "from penstock.workflows.detector.frames import open_run\n"
        f"try:\n    open_run([Path({str(path)!r})])\nexcept Unreadable as error:\n    print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert re.fullmatch(r".*a.h5:.*bitshuffle \(filter 32008\).*pip install \"hdf5plugin\"\n", said)


def test_bitshuffled_data_are_read_with_the_plugin(tmp_path: Path) -> None:
    hdf5plugin = pytest.importorskip("hdf5plugin", reason="bitshuffle needs hdf5plugin")
    code = (
        "import h5py, hdf5plugin, numpy as np, sys\n"
        "data = np.load(sys.argv[1])\n"
        "with h5py.File(sys.argv[2], 'w') as f:\n"
        f"    f.create_dataset({DATA!r}, data=data, chunks=(1, *data.shape[1:]), **hdf5plugin.Bitshuffle())\n"
    )
    assert hdf5plugin
    np.save(tmp_path / "a.npy", frames_of(4))
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.npy", tmp_path / "b.h5"], check=True)
    reading = (
        "import sys, numpy as np\nfrom pathlib import Path\nfrom penstock.workflows.detector.frames import open_run\n"
        "frames = next(open_run([Path(sys.argv[2])]).blocks())\n"
        "assert np.array_equal(frames, np.load(sys.argv[1]))\n"
    )
    subprocess.run([sys.executable, "-c", reading, tmp_path / "a.npy", tmp_path / "b.h5"], check=True)


LEFT_OPEN = """
import h5py, os, sys
file = h5py.File(sys.argv[1], "w", libver="latest")
made = file.create_dataset("entry/data/data", (3, 12, 16), "u2", maxshape=(None, 12, 16), chunks=(1, 12, 16))
if sys.argv[2] == "swmr":
    file.swmr_mode = True
made[0] = 7
file.flush()
os._exit(9)  # as a killed writer
"""


@pytest.mark.parametrize("mode", ["swmr", "alone"])
def test_a_file_whose_writer_was_killed_is_told_since_when_it_is_open(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.h5"
    subprocess.run([sys.executable, "-c", LEFT_OPEN, path, mode], check=False)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    with pytest.raises(
        Incomplete, match="still being written, or was left open since 2023-11-14 22:13:20 UTC"
    ) as found:
        open_run([path])
    assert found.value.overdue(1_700_000_100, patience=3600) is None
    said = found.value.overdue(1_700_007_200, patience=3600)
    assert said is not None
    assert said.endswith("nothing has changed since 2023-11-14 22:13:20 UTC")


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_a_truncated_file_is_incomplete_while_it_changes_and_then_a_problem(
    tmp_path: Path, libver: str
) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w", libver=libver) as file:
        file[DATA] = frames_of(4)
    size = path.stat().st_size
    os.truncate(path, size - 100)
    with pytest.raises(Incomplete, match=f"truncated: it has {size - 100} of {size} bytes") as found:
        open_run([path])
    since = path.stat().st_mtime
    assert found.value.overdue(since + 10, patience=600) is None
    assert found.value.overdue(since + 1000, patience=600)


def test_a_file_behind_a_user_block_is_read(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w", userblock_size=1024) as file:
        file[DATA] = frames_of(2)
    assert len(open_run([tmp_path / "a.h5"])) == 2


def test_what_is_no_hdf5_file_or_empty_or_absent_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_text("no frames\n" * 500)
    with pytest.raises(Unreadable, match=r"a.h5 is not an HDF5 file"):
        open_run([tmp_path / "a.h5"])
    (tmp_path / "b.h5").touch()
    with pytest.raises(Incomplete, match=r"b.h5 is empty so far"):
        open_run([tmp_path / "b.h5"])
    with pytest.raises(Incomplete, match=r"c.h5 is not there yet"):
        open_run([tmp_path / "c.h5"])


def test_a_damaged_chunk_is_said_with_its_frames(tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", frames_of(3), chunks=(1, *SHAPE), compression="gzip")
    with h5py.File(path) as file:
        place = file[DATA].id.get_chunk_info(1).byte_offset
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes(40))
    run = open_run([path])
    with pytest.raises(Unreadable, match=r"data: frames 0 to 2 cannot be read"):
        all_of(run)


def test_streams_of_unlike_shape_or_type_are_refused_with_both(tmp_path: Path) -> None:
    write(tmp_path / "a.h5", frames_of(2))
    write(tmp_path / "b.h5", frames_of(2, dtype=np.float32))
    with pytest.raises(Unreadable, match=r"a.h5.*of uint16, .*b.h5.*of float32"):
        open_run([tmp_path / "a.h5", tmp_path / "b.h5"])


def test_frames_are_chosen_by_mask_event_codes_and_number(tmp_path: Path) -> None:
    data = frames_of(10)
    for i in (0, 1):
        with h5py.File(tmp_path / f"s{i}.h5", "w") as file:
            file[DATA] = data[5 * i : 5 * i + 5]
            file["codes"] = np.array([[40, 0], [41, 162], [40, 162], [0, 0], [162, 0]])
            file["mask"] = np.array([1, 1, 0, 1, 1], np.uint8)
    paths = sorted(tmp_path.iterdir())

    def places(**chosen: Any) -> list[int]:
        made = all_of(open_run(paths, DATA, Selection(**chosen)))
        return [int(np.flatnonzero((data == each).all(axis=(1, 2)))[0]) for each in made]

    assert places(codes_in="codes", codes=(162,)) == [1, 2, 4, 6, 7, 9]
    assert places(codes_in="codes", codes=(162,), mask="mask") == [1, 4, 6, 9]
    assert places(skip=3, most=4) == [3, 4, 5, 6]
    assert places(skip=6) == [6, 7, 8, 9]
    assert places(codes_in="codes", codes=(40, 41), skip=1, most=3) == [1, 2, 5]
    run = open_run(paths, DATA, Selection(most=2))
    assert run.told == ["2 of 10 stored frames were chosen"]


def test_a_mask_of_another_length_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file[DATA] = frames_of(4)
        file["mask"] = np.ones(3)
    with pytest.raises(Unreadable, match="mask has 3 entries for 4 frames"):
        open_run([tmp_path / "a.h5"], DATA, Selection(mask="mask"))
