"""Lines stand in the event file in the order of their numbers, held or not, whatever the disk does."""

import json
import os
import resource

import pytest

from penstock.runner.errors import Unwell
from penstock.runner.events import Events


@pytest.fixture
def events(tmp_path):
    descriptor = os.open(tmp_path / "events", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    yield Events(descriptor, "token", 1, 1, str(tmp_path / "reserve"))
    os.close(descriptor)


def numbers(events):
    text = os.pread(events.fd, 1 << 20, 0).decode()
    return [json.loads(line)["n"] for line in text.splitlines()]


def line(events):
    return events.line("end", '"s":1')


def test_a_held_line_is_written_when_the_runner_is_about_to_wait(events):
    events.hold(line(events))
    events.hold(line(events))
    assert numbers(events) == []
    events.push()
    assert numbers(events) == [1, 2]
    events.push()
    assert numbers(events) == [1, 2]


@pytest.mark.parametrize("way", ["write", "announce"])
def test_what_comes_after_held_lines_stands_after_them(events, way):
    events.hold(line(events))
    getattr(events, way)([line(events)])
    assert numbers(events) == [1, 2]


def test_held_lines_that_do_not_fit_are_written_later(events):
    events.write([line(events)])
    size = os.fstat(events.fd).st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, hard))
    try:
        events.hold(line(events))
        with pytest.raises(Unwell, match="cannot be written"):
            events.announce([line(events)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert events.drain(1)
    assert numbers(events) == [1, 2]
