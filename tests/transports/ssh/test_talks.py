"""How answers come back from `ssh`."""

import fcntl
import os
from pathlib import Path

import pytest

from penstock.transports.ssh.talks import WIDE, widen


@pytest.mark.skipif(not hasattr(fcntl, "F_GETPIPE_SZ"), reason="only Linux has pipes of other sizes")
def test_more_waits_in_a_pipe_that_is_widened() -> None:
    reading, writing = os.pipe()
    with open(reading, "rb") as source, open(writing, "wb"):
        widen(source)
        assert fcntl.fcntl(source, fcntl.F_GETPIPE_SZ) >= WIDE


def test_what_cannot_be_widened_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    with (tmp_path / "a").open("rb") as source:
        widen(source)
        assert source.read() == b"abc"
