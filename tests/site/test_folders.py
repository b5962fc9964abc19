"""Job folders through a transport: few questions, whatever the number of jobs."""

import os
import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from penstock.errors import LedgerError
from penstock.site.folders import JobFolders
from penstock.transports.local import LocalTransport


class Counting(LocalTransport):
    """A transport that counts its questions, as each may be a round trip."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.asked = Counter[str]()

    def __getattribute__(self, name: str) -> Any:
        if name in ("run", "read", "write", "list", "remove", "pack"):
            self.asked[name] += 1
        return super().__getattribute__(name)

    def look(self, folders: Any, offsets: Any) -> Any:
        self.asked["look"] += 1
        return super().list(folders), super().read(offsets)


@pytest.fixture
def folders(tmp_path: Path) -> JobFolders:
    return JobFolders(Counting(tmp_path / "jobs"), tmp_path)


def asked(folders: JobFolders, question: Callable[[], object]) -> dict[str, int]:
    """Return how often the transport was used for a question."""
    assert isinstance(folders.transport, Counting)
    folders.transport.asked.clear()
    question()
    return dict(folders.transport.asked)


def test_new_events_of_all_jobs_are_one_question(folders: JobFolders) -> None:
    for token in ("p1", "p2"):
        folders.place(token, {f"{n}.1.jsonl": b"one\ntwo\n" for n in range(1, 6)})
    folders.place("p2", {"6.2.jsonl": b"new\n", "6.2.log": b"no events"})
    known = {(token, n, 1): 4 for token in ("p1", "p2") for n in range(1, 6)} | {("p1", 1, 1): None}
    new = dict(folders.new_events(known, ["p1", "p2"]))
    assert new.pop(("p2", 6, 2)) == b"new\n", "from its beginning"
    assert new == {life: b"two\n" for life, offset in known.items() if offset}
    assert asked(folders, lambda: folders.new_events(known, ["p1", "p2"])) == {"look": 1, "read": 1}
    heard = known | {("p2", 6, 2): 4}
    assert asked(folders, lambda: folders.new_events(heard, ["p1", "p2"])) == {"look": 1}, "nothing is new"
    assert asked(folders, lambda: folders.new_events(known)) == {"look": 1}


def test_event_files_of_folders_that_are_gone_are_none(folders: JobFolders) -> None:
    assert folders.event_files(["p1"]) == []
    assert folders.new_events({("p1", 1, 1): 0}, ["p1"]) == {}


def test_many_elements_are_revoked_by_one_question_and_one_answer(folders: JobFolders) -> None:
    folders.place("p1", {"spec.json": b'{"elements": 9}'})
    tasks = {element: [(1, element)] for element in range(1, 10)}
    assert asked(folders, lambda: folders.revoke("p1", tasks)) == {"read": 1, "write": 1}
    assert asked(folders, lambda: folders.revoke_all("p1"))["write"] == 1
    assert len([*folders.job_folder("p1").glob("*.revoked")]) == 9


def test_a_job_that_is_packed_is_not_made_again_by_revoking_it(folders: JobFolders) -> None:
    folders.place("p1", {"spec.json": b'{"elements": 1}'})
    folders.pack("p1")
    folders.revoke("p1", {1: [(1, 1)]})
    folders.revoke_all("p1")
    assert os.listdir(folders.folder) == ["p1.zip"]


def test_what_is_placed_is_known_by_its_last_file(folders: JobFolders) -> None:
    assert not folders.is_placed("p1")
    folders.place("p1", {"tasks.jsonl": b""})
    assert not folders.is_placed("p1")
    folders.place("p1", {"spec.json": b"{}"})
    assert folders.is_placed("p1")


def test_jobs_and_drafts_are_told_apart(folders: JobFolders) -> None:
    folders.place("p1", {"spec.json": b"{}"})
    folders.place("p2", {"spec.json": b"{}"})
    folders.pack("p2")
    folders.transport.write({".p3.zip": b"half", "pfile": b""})
    assert folders.unpacked() == ["p1"]
    folders.remove_drafts()
    assert sorted(os.listdir(folders.folder)) == ["p1", "p2.zip", "pfile"]


def test_the_runner_is_named_by_its_content_and_written_once(folders: JobFolders) -> None:
    path = folders.put_runner()
    assert re.fullmatch(r"runner-[0-9a-f]{64}\.pyz", path.name)
    assert asked(folders, folders.put_runner) == {"list": 1}
    assert folders.put_runner() == path
    assert os.listdir(folders.folder) == [path.name]


def test_what_cannot_be_written_is_said_with_its_place_and_the_remedy(folders: JobFolders) -> None:
    folders.place("p1", {"spec.json": b"{}"})
    (folders.folder / "p1/taken").mkdir()
    with pytest.raises(LedgerError, match=r"p1/.*taken.* cannot be written \(Is a directory\): fix that"):
        folders.place("p1", {"taken": b""})


def test_what_a_life_may_have_published_is_known_by_the_times_of_the_file_server(folders: JobFolders) -> None:
    root, held = folders.root, folders.root / "out/.penstock/p1.2.1.1.done"
    held.mkdir(parents=True)
    (root / "out/before").touch()
    folders.place("p1", {"2.1.reserve": b"", "2.1.jsonl": b"claim\n"})
    tick(root)
    for name in ("one", "two"):
        (held / name).touch()
        tick(root)
        (held / name).rename(root / "out" / name)
    wait_beyond(held, root / "out/later")
    paths = ["out/before", "out/one", "out/two", "out/later", "out/none", "elsewhere/one"]
    (root / "elsewhere").mkdir()
    (root / "elsewhere/one").touch()
    life = ("p1", 2, 1)
    assert folders.unsaid(life, paths, heard=None) == ["out/one", "out/two"]
    assert folders.unsaid(life, paths, heard=3) == ["out/one", "out/two"], "the file has more than was heard"
    assert folders.unsaid(life, paths, heard=6) == [], "all it wrote was heard"
    assert folders.unsaid(("p1", 2, 2), paths, heard=None) == [], "there was no such life"
    last = folders.folder / "p1/2.1.jsonl"
    os.utime(last, (os.stat(last).st_atime, os.stat(last).st_mtime + 100))
    assert folders.unsaid(life, paths, heard=None) == [], "it lived on long after"


def tick(folder: Path) -> None:
    """Wait until a file that is made in a folder is younger than all that is there."""
    before = last_change(folder)
    while last_change(folder) <= before:
        time.sleep(0.001)


def last_change(folder: Path) -> int:
    (folder / "now").write_text("")
    return os.stat(folder / "now").st_mtime_ns


def wait_beyond(held: Path, path: Path) -> None:
    """Make a file that is surely younger than the last rename from a folder."""
    while not path.exists() or path.stat().st_ctime <= held.stat().st_mtime + 0.2:
        path.unlink(missing_ok=True)
        path.touch()
