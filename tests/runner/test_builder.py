"""What builds a program where it runs: once, however many ask, whole or not there."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.pythons import FAR, find_old
from tests.until import until

from penstock.runner import builder
from penstock.runner.build import build_builder
from penstock.runner.survey import SAYS

COUNTED = "echo once >> ../../../count\n"


class Place:
    """A folder of builds, with one program."""

    def __init__(self, root: Path, python: str = FAR) -> None:
        self.root, self.python = root, python
        self.folder = root / "build" / "d1"
        self.pyz = root / "builder.pyz"
        self.pyz.write_bytes(build_builder())

    def send(self, script: str, *, limit_s: float = 60.0, **files: str) -> None:
        for name, text in (files or {"part": "text"}).items():
            path = self.folder / "sources" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        digests = {
            name: hashlib.sha256(text.encode()).hexdigest()
            for name, text in (files or {"part": "text"}).items()
        }
        asked = {"files": digests, "executable": "prog", "script": script, "limit_s": limit_s}
        (self.folder / "asked.json").write_text(json.dumps(asked))

    def start(self, *, wait_s: float = 30.0, user: str = "winter-1") -> subprocess.Popen[str]:
        argv = [self.python, "-I", str(self.pyz), str(self.folder), user, str(wait_s)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def ask(self, **more: Any) -> dict[str, Any]:
        return told_by(self.start(**more))

    @property
    def program(self) -> Path:
        return self.folder / "files" / "prog"

    def count(self) -> int:
        """How often it was built."""
        path = self.root / "count"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def builders(self) -> list[psutil.Process]:
        """What builds here, without those who only ask."""
        found = [p for p in psutil.process_iter(["cmdline"]) if str(self.folder) in (p.info["cmdline"] or [])]
        return [process for process in found if os.getsid(process.pid) == process.pid]


def told_by(process: subprocess.Popen[str]) -> dict[str, Any]:
    said = process.communicate(timeout=60)[0]
    line = next((line for line in said.splitlines() if line.startswith(SAYS)), None)
    assert line, said
    return json.loads(line.removeprefix(SAYS))


MAKE = COUNTED + "cat part > prog; chmod +x prog"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_sources_become_a_program_once(place: Place) -> None:
    assert place.ask() == {"state": "wanting"}
    place.send(MAKE)
    assert place.ask() == {"state": "built"}
    assert place.program.read_text() == "text"
    assert place.ask(user="summer-2") == {"state": "built"}
    assert place.count() == 1
    assert sorted(path.name for path in (place.folder / "users").iterdir()) == ["summer-2", "winter-1"]


def test_two_who_ask_at_once_get_one_build(place: Place) -> None:
    go = place.root / "go"
    place.send(f"until test -e {go}; do sleep 0.1; done\n" + MAKE)
    asked = [place.start(wait_s=0.0) for _ in range(8)]
    assert {told_by(one)["state"] for one in asked} == {"building"}
    go.touch()
    until(lambda: place.ask(wait_s=0.0) == {"state": "built"}, "it is built")
    assert place.count() == 1


def test_a_build_outlives_the_question_that_began_it(place: Place) -> None:
    place.send("sleep 0.5\n" + MAKE)
    asking = place.start()
    until(lambda: len(place.builders()) == 1, "it has begun")
    asking.kill()
    asking.wait()
    until(lambda: place.ask(wait_s=0.0) == {"state": "built"}, "it is built")
    assert place.count() == 1


def test_a_build_that_was_killed_is_made_again_and_never_half_used(place: Place) -> None:
    place.send("echo half > prog; chmod +x prog; test -e ../../../again || sleep 60\n" + MAKE)
    asking = place.start(wait_s=0.0)
    until(place.program.exists, "it is half built")
    (one,) = place.builders()
    left = one.children(recursive=True)
    one.kill()
    asking.wait()
    (place.root / "again").touch()
    assert place.ask() == {"state": "built"}
    assert place.program.read_text() == "text"
    assert not [process for process in left if lives(process)], "what the killed one left is ended first"


def lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_one_that_is_killed_each_time_is_a_failure_in_the_end(place: Place) -> None:
    place.send("kill -9 $PPID; sleep 60")
    said = [place.ask() for _ in range(4)]
    assert [one["state"] for one in said] == ["building", "building", "failed", "building"]
    assert said[2]["why"] == "was killed 3 times"


@pytest.mark.parametrize(
    ("script", "why"),
    [
        ("echo one; echo two >&2; exit 3", "ended with exit code 3"),
        ("kill -6 $$", f"was ended by signal {int(signal.SIGABRT)}"),
        ("true", "made no prog"),
        ("mkdir prog", "made no prog"),
        ("touch prog", "made prog, which is not executable"),
    ],
)
def test_a_failure_is_told_once_and_then_it_is_tried_again(place: Place, script: str, why: str) -> None:
    place.send(COUNTED + script)
    told = place.ask()
    assert (told["state"], told["why"]) == ("failed", why)
    assert told["log"] == f"{place.folder}/build.log"
    assert told["said"] == ("one\ntwo\n" if "echo one" in script else "")
    assert place.ask()["state"] == "failed"
    assert place.count() == 2


def test_what_takes_too_long_is_ended_with_all_that_it_started(place: Place) -> None:
    place.send("(exec -a lurker sleep 77) & sleep 88", limit_s=0.5)
    told = place.ask()
    assert told["why"].startswith("took longer than")
    assert not [p for p in psutil.process_iter() if runs(p, "77") or runs(p, "88")]


def runs(process: psutil.Process, seconds: str) -> bool:
    try:
        return process.cmdline()[1:] == [seconds]
    except (psutil.Error, IndexError):
        return False


def test_what_a_build_left_running_neither_holds_it_up_nor_stays(place: Place) -> None:
    place.send(MAKE + "; sleep 99 &")
    begun = time.monotonic()
    assert place.ask() == {"state": "built"}
    assert time.monotonic() - begun < 20
    assert not [p for p in psutil.process_iter() if runs(p, "99")]


def test_of_a_long_log_both_ends_are_kept(place: Place) -> None:
    place.send("echo first; yes | head -c 9000000; echo last; exit 1")
    told = place.ask()
    text = (place.folder / "build.log").read_bytes()
    assert text.startswith(b"first\n")
    assert text.endswith(b"last\n")
    assert b"bytes left out here" in text
    assert len(text) < 2 * builder.LOG_BYTES + 100
    assert len(told["said"]) <= builder.TAIL_BYTES


def test_what_a_purge_took_is_built_again(place: Place) -> None:
    place.send(MAKE)
    place.ask()
    place.program.unlink()
    assert place.ask() == {"state": "built"}
    (place.folder / "sources/part").unlink()
    assert place.ask() == {"state": "built"}, "sources are not needed any more"
    place.program.unlink()
    assert place.ask() == {"state": "wanting"}
    place.send(MAKE)
    assert place.ask() == {"state": "built"}
    assert place.count() == 3


def test_damaged_sources_are_wanted_again(place: Place) -> None:
    place.send(MAKE)
    (place.folder / "sources/part").write_text("TEXT")
    assert place.ask() == {"state": "wanting"}


def test_no_source_is_older_than_what_was_generated_from_it(place: Place) -> None:
    place.send(
        "test part -nt made || test made -nt part || " + "{ touch prog; chmod +x prog; }", part="a", made="b"
    )
    os.utime(place.folder / "sources/made", (1, 1))
    assert place.ask() == {"state": "built"}


def test_a_build_finds_its_folder_under_the_name_that_it_will_have(place: Place) -> None:
    place.send('printf "#!/bin/sh\\nls $PWD/part\\n" > prog; chmod +x prog')
    assert place.ask() == {"state": "built"}
    said = subprocess.run([place.program], capture_output=True, text=True, check=True).stdout
    assert said == f"{place.folder}/files/part\n"


def test_a_real_old_python_builds_too(tmp_path: Path) -> None:
    if not (old := find_old()):
        pytest.skip("there is no Python 3.6 or 3.7 here: install one with pyenv")
    place = Place(tmp_path, old)
    place.send(MAKE)
    assert place.ask() == {"state": "built"}
    place.send("exit 4", part="other")
    (place.folder / "penstock.json").unlink()
    assert place.ask()["why"] == "ended with exit code 4"
