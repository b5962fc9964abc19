from datetime import timedelta
from itertools import pairwise

import numpy as np
import pytest

from penstock.errors import DefinitionError
from penstock.workflows.acoustics import demo, plugin
from penstock.workflows.acoustics.headers import read_header
from penstock.workflows.acoustics.names import guess_pattern, parse_pattern
from penstock.workflows.acoustics.qc import SampleCheck
from penstock.workflows.acoustics.recordings import scan


def test_the_takes_are_half_an_hour_with_one_gap():
    takes = list(demo.takes())
    steps = [after.begin - before.begin for before, after in pairwise(takes)]
    assert len(takes) * demo.SECONDS == 1800
    assert sorted(set(steps)) == [timedelta(minutes=1), timedelta(minutes=6)]
    assert steps.count(timedelta(minutes=6)) == 1


@pytest.mark.parametrize("number", [0, demo.TRUNCATED, demo.OTHER_RATE])
def test_a_take_is_written_with_its_fault(tmp_path, number):
    take = list(demo.takes())[number]
    header = read_header(demo.write_take(tmp_path, take))
    assert (header.frames < header.promised) == (number == demo.TRUNCATED)
    assert (header.rate == demo.RATE) == (number != demo.OTHER_RATE)


def test_the_sound_is_the_same_each_time_and_only_one_take_is_clipped():
    takes = list(demo.takes())
    assert np.array_equal(demo.make_sound(takes[3]), demo.make_sound(takes[3]))
    for number, clipped in ((3, False), (demo.CLIPPED, True)):
        check = SampleCheck(16, floating=True)
        check.add(demo.make_sound(takes[number]))
        assert bool(check.clipped) == clipped


def test_the_names_of_the_takes_are_understood(tmp_path):
    paths = [str(demo.write_take(tmp_path, take)) for take in list(demo.takes())[11:13]]
    dataset = scan(parse_pattern(guess_pattern(paths)))
    assert [[finding.kind for finding in each.findings] for each in dataset.recordings] == [[], ["gap"]]


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match="is not a folder of recordings"):
        plugin.demo.main([str(tmp_path / "demo"), "--audio", str(tmp_path / "none")], standalone_mode=False)


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "audio").mkdir()
    with pytest.raises(DefinitionError, match="is empty"):
        plugin.demo.main([str(tmp_path / "demo"), "--audio", str(tmp_path / "audio")], standalone_mode=False)
