"""Files of penstock's own that were damaged on the disk: told, set aside, and the work goes on."""

import json
import os
import random
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.rendering import batch_text
from penstock.runner.build import is_intact, read_sources
from penstock.runner.sealed import seal, unseal
from penstock.site.folders import JobFolders
from penstock.site.tasksfile import product_folders, read_feed
from penstock.transports.local import LocalTransport

UNITS = 24
STAGE = """
[stage.a]
each = "unit"
command = ["sh", "-c", "echo $1 >> runs; sleep 0.02; echo $1 > $0", "{product}", "{unit}"]
products = "a/{unit}"
"""


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    at = random.Random(len(data)).randrange(len(data))
    data[at] ^= 0x41
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


WAYS = [flip, cut, empty, become_folder]


def kill_everybody(lab: Any) -> None:
    """Start a run and kill it, runners and all, when it is half through."""
    conductor = lab.start("run")
    lab.wait_until(lambda: sum(lab.runs().values()) > UNITS // 2, "half of it done")
    os.killpg(conductor.pid, signal.SIGKILL)
    conductor.wait()
    for (native,) in lab.rows("SELECT native FROM job WHERE state <> 'finished' AND native IS NOT NULL"):
        os.kill(int(native.partition(".")[0]), signal.SIGKILL)


@pytest.mark.parametrize("damage", WAYS)
@pytest.mark.parametrize("name", ["p*/spec.json", "p*/tasks.jsonl", "p*/1.1.jsonl", "runner-*.pyz"])
def test_the_same_command_goes_on(lab: Any, name: str, damage: Callable[[Path], None]) -> None:
    lab.define(STAGE, units=UNITS)
    kill_everybody(lab)
    files = [*(lab.root / ".penstock/jobs").glob(name)]
    assert files
    for path in files:
        damage(path)
    done = lab.command("run")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert all(lab.read(f"a/u{n}") == f"u{n}\n" for n in range(1, UNITS + 1))
    assert lab.states("a") == {"done": UNITS}


def test_what_lay_there_before_is_not_replaced_whatever_was_damaged(lab: Any) -> None:
    lab.define(STAGE, units=UNITS)
    for n in range(1, UNITS + 1):
        lab.write(f"a/u{n}", "by hand\n") if n % 8 == 0 else None
    kill_everybody(lab)
    for path in (lab.root / ".penstock/jobs").glob("p*/1.1.jsonl"):
        empty(path)
    assert lab.command("run").returncode == 1
    assert all(lab.read(f"a/u{n}") == "by hand\n" for n in (8, 16, 24))
    assert lab.states("a") == {"done": UNITS - 3, "failed": 3}


def test_what_is_damaged_is_told_and_kept(lab: Any) -> None:
    lab.define(STAGE, units=UNITS)
    kill_everybody(lab)
    for path in (lab.root / ".penstock/jobs").glob("p*/spec.json"):
        cut(path)
    assert lab.run().code == 0
    told = [row[0] for row in lab.rows("SELECT why FROM problem WHERE source LIKE 'job %'")]
    assert told
    assert all("spec.json is damaged: its job is closed and its tasks run again" in why for why in told)


@pytest.mark.parametrize("damage", WAYS)
def test_the_log_in_a_damaged_archive_is_one_sentence(lab: Any, damage: Callable[[Path], None]) -> None:
    lab.define(STAGE.replace("echo $1 > $0", "echo $1 > $0; echo words"), units=2)
    assert lab.run().code == 0
    for path in (lab.root / ".penstock/jobs").glob("p*.zip"):
        shutil.copyfile(path, lab.root / path.name)
        damage(path)
    asked = lab.command("log", "u1")
    assert asked.returncode in (0, 1)
    assert "fault of penstock" not in asked.stderr
    told = "is damaged" in asked.stderr or "no longer exists" in asked.stderr
    assert asked.stdout == "words\n" or told
    assert lab.run().code == 0


@pytest.mark.parametrize("damage", WAYS)
def test_a_damaged_request_is_set_aside_and_told(lab: Any, damage: Callable[[Path], None]) -> None:
    lab.define(STAGE, units=2)
    assert lab.run().code == 0
    left = lab.root / ".penstock/requests/1.0.1.json"
    left.parent.mkdir(mode=0o700)
    asked = {"at": 1.0, "by": "me@there", "action": "veto", "target": {"unit": 2, "why": "noise"}}
    left.write_bytes(seal(json.dumps(asked).encode()))
    damage(left)
    assert lab.run().code == 0
    assert [path.name for path in left.parent.iterdir()] == ["1.0.1.damaged"]
    assert lab.rows("SELECT * FROM veto") == []
    (told,) = [row[0] for row in lab.rows("SELECT why FROM problem")]
    assert told.endswith("request it again")


# --- pure ---------------------------------------------------------------------------------------

SPEC = seal(json.dumps({"format": 1, "token": "pabc", "root": "/data/winter", "elements": 3}).encode())
FEED = b"".join(
    batch_text(n, 2, [{"u": n, "s": "a", "products": {"product": {"path": f"a{n}/x"}}}]) for n in (1, 2, 3)
)


def test_what_was_sealed_is_read_back() -> None:
    assert unseal(SPEC) == {**json.loads(SPEC)}
    assert unseal(b'{"of": "an older penstock"}') == {"of": "an older penstock"}


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_no_changed_byte_of_what_was_sealed_gives_other_values(bit: int) -> None:
    whole = {name: value for name, value in json.loads(SPEC).items() if name != "seal"}
    for at in range(len(SPEC)):
        data = bytearray(SPEC)
        data[at] ^= bit
        found = unseal(bytes(data))
        assert found is None or {name: found.get(name) for name in whole} == whole


def test_no_cut_of_what_was_sealed_is_taken_for_the_whole() -> None:
    assert all(unseal(SPEC[:length]) is None for length in range(len(SPEC)))


@pytest.mark.parametrize("bit", [0x01, 0x20, 0x80])
def test_no_changed_byte_of_a_feed_gives_another_batch(bit: int) -> None:
    whole = read_feed(FEED)
    assert (len(whole.batches), whole.damage) == (3, None)
    for at in range(len(FEED)):
        data = bytearray(FEED)
        data[at] ^= bit
        feed = read_feed(bytes(data))
        assert feed.batches == whole.batches[: len(feed.batches)]
        assert feed.damage or len(feed.batches) == 3 or 10 in (data[at], FEED[at])  # a line's end: as if cut
        product_folders(bytes(data))


def test_the_product_folders_of_a_damaged_feed_are_those_that_can_be_read() -> None:
    header = FEED.index(b"\n")
    assert product_folders(b"\0" * header + FEED[header:]) == {"a1", "a2", "a3"}


def test_revocations_that_cannot_be_read_revoke_all(tmp_path: Path) -> None:
    folders = JobFolders(LocalTransport(tmp_path), tmp_path)
    folders.place("pabc", {"spec.json": SPEC})
    folders.revoke("pabc", {2: [(1, 7)]})
    file = tmp_path / "pabc/2.revoked"
    file.write_bytes(file.read_bytes()[:5])
    folders.revoke("pabc", {2: [(1, 8)]})
    assert json.loads(file.read_bytes())["all"] is True


def test_every_element_of_a_job_is_revoked_as_far_as_its_spec_can_be_read(tmp_path: Path) -> None:
    folders = JobFolders(LocalTransport(tmp_path), tmp_path)
    folders.place("pabc", {"spec.json": SPEC, "2.1.jsonl": b""})
    folders.revoke_all("pabc")
    assert sorted(path.name for path in (tmp_path / "pabc").glob("*.revoked")) == [
        f"{n}.revoked" for n in (1, 2, 3)
    ]
    folders.place("pxyz", {"spec.json": SPEC[:-9], "2.1.jsonl": b""})
    folders.revoke_all("pxyz")
    assert sorted(path.name for path in (tmp_path / "pxyz").glob("*.revoked")) == ["1.revoked", "2.revoked"]


@pytest.mark.parametrize("at", [10, 1000, 20_000, 60_000, -30, -2000])
def test_a_damaged_runner_is_written_again(tmp_path: Path, at: int) -> None:
    folders = JobFolders(LocalTransport(tmp_path), tmp_path)
    path = folders.put_runner()
    whole, data = path.read_bytes(), bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    assert folders.put_runner() == path
    assert is_intact(path.read_bytes(), read_sources())
    assert len(path.read_bytes()) == len(whole)


@pytest.mark.parametrize("damage", [cut, empty, become_folder])
def test_a_runner_that_is_none_is_written_again(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    folders = JobFolders(LocalTransport(tmp_path), tmp_path)
    path = folders.put_runner()
    damage(path)
    assert folders.put_runner() == path
    assert path.read_bytes()[:2] == b"PK"
