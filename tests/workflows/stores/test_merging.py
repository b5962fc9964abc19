"""Members become one file: all their rows in their order, or a sentence that says why not."""

import os
import re

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.workflows.stores import merging
from penstock.workflows.stores.merging import Unmergeable, merge_events, read_list

COUNTS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 4)), min_size=1, max_size=6)


def write(path, events, muons, *, first=0, software="lab 1.0", subrun=0, short=0):
    """A file with two tables: images with their numbers, and muons; `short` rows of a column are missing."""
    with h5py.File(path, "w") as file:
        file.attrs.update({"software": software, "subrun": subrun})
        file["events/id"] = np.arange(first, first + events)
        file["events/image"] = np.full((events - short, 2, 3), subrun, "f4")
        file["muons/radius"] = np.linspace(0.5, 1.0, muons, dtype="f4")
        file["events"].attrs["window"] = [3, 5]
    return path


def members(folder, counts, **more):
    first, made = 0, []
    for subrun, (events, muons) in enumerate(counts):
        made.append(write(folder / f"{subrun}.h5", events, muons, first=first, subrun=subrun, **more))
        first += events
    return made


@given(COUNTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
def test_all_rows_of_all_members_are_there_in_their_order(tmp_path_factory, counts):
    folder = tmp_path_factory.mktemp("run")
    made = members(folder, counts)
    more = {"members": len(made)}
    told = merge_events(made, folder / "whole.h5", varying=["subrun"], attributes=more)
    events, muons = map(sum, zip(*counts, strict=True))
    assert told == {"/events": events, "/muons": muons}
    with h5py.File(folder / "whole.h5") as file:
        assert file["events/id"][()].tolist() == [*range(events)]
        images = [subrun for subrun, (number, _) in enumerate(counts) for _ in range(number)]
        assert file["events/image"][:, 1, 2].tolist() == images
        assert dict(file.attrs) == {"software": "lab 1.0", **more}
        assert file["events"].attrs["window"].tolist() == [3, 5]


def test_long_columns_are_copied_in_parts(tmp_path, monkeypatch):
    made = members(tmp_path, [(50, 1), (33, 0)])
    merge_events(made, tmp_path / "at once.h5", varying=["subrun"])
    monkeypatch.setattr(merging, "SLAB", 100)
    merge_events(made, tmp_path / "in parts.h5", varying=["subrun"])
    assert (tmp_path / "at once.h5").read_bytes() == (tmp_path / "in parts.h5").read_bytes()


def test_the_same_members_give_the_same_bytes_at_another_time(tmp_path, monkeypatch):
    made = members(tmp_path, [(5, 1), (0, 3), (2, 2)])
    merge_events(made, tmp_path / "a.h5", varying=["subrun"])
    for path in made:
        os.utime(path, (0, 0))
    merge_events(made, tmp_path / "b.h5", varying=["subrun"])
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def refused(paths, product, told, **options):
    """What was there stays, and nothing else is left."""
    product.write_text("before")
    before = sorted(product.parent.iterdir())
    with pytest.raises(Unmergeable, match=re.escape(told)):
        merge_events(paths, product, **options)
    assert product.read_text() == "before"
    assert sorted(product.parent.iterdir()) == before


def test_a_member_whose_columns_differ_in_length_fails_with_its_name(tmp_path):
    made = [*members(tmp_path, [(4, 1)]), write(tmp_path / "bad.h5", 4, 1, short=1)]
    told = f"{made[1]} has 4 rows in /events/id and 3 in /events/image, which are of one group of events"
    refused(made, tmp_path / "whole.h5", told, varying=["subrun"])


def test_differing_software_is_refused_with_both_values(tmp_path):
    made = [*members(tmp_path, [(4, 1)]), write(tmp_path / "new.h5", 4, 1, software="lab 1.1")]
    told = f"{made[1]} has software = lab 1.1 and {made[0]} has lab 1.0"
    refused(made, tmp_path / "whole.h5", told, varying=["subrun"])


def test_what_is_of_one_member_alone_must_be_named(tmp_path):
    made = members(tmp_path, [(1, 1), (1, 1)])
    refused(made, tmp_path / "whole.h5", f"{made[1]} has subrun = 1 and {made[0]} has 0")


def test_other_columns_are_refused(tmp_path):
    made = members(tmp_path, [(1, 1), (1, 1)])
    with h5py.File(made[1], "a") as file:
        file["events/more"] = np.zeros(1)
    refused(made, tmp_path / "whole.h5", "has /events/more = float64 of shape () and", varying=["subrun"])
    with h5py.File(made[0], "a") as file:
        file["events/more"] = np.zeros(1, "f4")
    told = "float64 of shape () and"
    refused(made, tmp_path / "whole.h5", told, varying=["subrun"])


def test_damaged_missing_and_no_members_are_told(tmp_path):
    made = members(tmp_path, [(1, 1), (400, 1)])
    whole = made[1].read_bytes()
    made[1].write_bytes(whole[: len(whole) // 2])
    refused(made, tmp_path / "whole.h5", f"{made[1]} cannot be read", varying=["subrun"])
    made[1].unlink()
    refused(made, tmp_path / "whole.h5", f"{made[1]} cannot be read", varying=["subrun"])
    refused([], tmp_path / "whole.h5", "there is no member")


def test_a_value_without_rows_is_refused(tmp_path):
    [made] = members(tmp_path, [(1, 1)])
    with h5py.File(made, "a") as file:
        file["gain"] = 2.0
    refused([made], tmp_path / "whole.h5", "has /gain, which is one value", varying=["subrun"])


def test_many_members_come_from_a_list_file(tmp_path):
    made = write(tmp_path / "one.h5", 2, 1)
    (tmp_path / "members.txt").write_text(f"{made}\n" * 450)
    told = merge_events(read_list(tmp_path / "members.txt"), tmp_path / "whole.h5")
    assert told == {"/events": 900, "/muons": 450}
