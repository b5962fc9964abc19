"""A machine whose clock is hours off."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.packages import Unavailable, need
from tests.desk import Desk
from tests.far.conftest import LabAt
from tests.far.lab import Lab
from tests.sshd import Sshd, bring_up

HOUR = 3600
LIBRARY = "/usr/$LIB/faketime/libfaketime.so.1"
STAGE = """
[stage.tell]
each = "unit"
command = ["sh", "-c", "cat $0; sleep 1; date +%s > $1", "{path}", "{product}"]
products = "told/{unit}.txt"
"""
FILES = 'files = "raw/{unit}.dat"\nsettle = "1s"'


@pytest.fixture(params=["-5h", "+26h"])
def hour(request: pytest.FixtureRequest) -> str:
    """By how much the clock there is off."""
    return request.param


@pytest.fixture
def server(tmp_path: Path, hour: str) -> Iterator[Sshd]:
    """A server whose receivers believe that it is another hour."""
    try:
        need("clock")
        made = bring_up(tmp_path / "sshd", LD_PRELOAD=LIBRARY, FAKETIME=hour)
    except Unavailable as reason:
        pytest.skip(f"sshd and faketime: {reason}")
    yield made
    made.down()


@pytest.fixture
def lab(server: Sshd, desk: Desk, lab_at: LabAt, hour: str, tmp_path: Path) -> Lab:
    """A campaign whose site is there; jobs do not inherit what a login has."""
    setup = [f"export LD_PRELOAD='{LIBRARY}' FAKETIME={hour}"]
    site = f'workdir = "{tmp_path}/far"\nsetup = {setup}\n'
    made = lab_at(server).define(STAGE, units=0, source=FILES, site=site)
    (made.root / "raw").mkdir()
    for name in "abcd":
        (made.root / f"raw/{name}.dat").write_text(name)
    made.login()
    return made


def test_nothing_rests_on_it(lab: Lab) -> None:
    assert lab.start().wait(120) == 0, lab.said()
    off = [int((lab.root / f"told/{name}.txt").read_text()) - time.time() for name in "abcd"]
    assert all(abs(seconds) > 4 * HOUR for seconds in off), "the clock there is off"
    assert lab.start().wait(120) == 0, lab.said()
    assert lab.outcomes() == {"ok": 4}, "nothing was made twice"
    (lab.root / "raw/a.dat").write_text("other")
    assert lab.start("run", "--stale").wait(120) == 0, lab.said()
    assert lab.outcomes() == {"ok": 5}, "what changed was made again"
    assert "cannot" not in lab.said()
