"""What only the transport of this machine does."""

import os
import resource
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.transports.local import LocalTransport


@contextmanager
def room_for(count: int) -> Generator[None]:
    """Let no file of this process be longer, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_draft_that_a_full_disk_cuts_short_does_not_stay(tmp_path: Path) -> None:
    transport = LocalTransport(tmp_path)
    transport.write({"a": b"old"})
    with room_for(100), pytest.raises(OSError, match="large"):
        transport.write({"a": bytes(1000)})
    assert (os.listdir(tmp_path), transport.read({"a": 0})) == (["a"], {"a": b"old"})


def test_bytes_are_added_to_the_end_of_a_file(tmp_path: Path) -> None:
    transport = LocalTransport(tmp_path)
    transport.append("a", b"one")
    transport.append("a", b" two")
    assert transport.read({"a": 0}) == {"a": b"one two"}
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600


def test_a_listing_asks_for_no_file_until_it_is_asked_about(tmp_path: Path) -> None:
    transport = LocalTransport(tmp_path)
    transport.write({"p1/a": b"12"})
    listed = transport.list(["p1"])["p1"]
    (tmp_path / "p1/a").write_bytes(b"1234")
    assert (list(listed), listed["a"].size) == (["a"], 4)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert LocalTransport(tmp_path).read({"pipe": 0}) == {}
