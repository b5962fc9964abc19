"""Whether the programs of a campaign can run at a site."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from penstock import config
from penstock.site.elf import Program
from penstock.site.programs import Named, interpreters_of, misfits, programs_of
from penstock.site.surveys import Platform, Survey

LOADER = "/lib64/ld-linux-x86-64.so.2"
TOML = """
campaign = { name = "flow", levels = ["file"] }
units = { files = "in/{file}.txt", settle = "0s" }
[stage.solve]
each = "file"
command = ["./solve", "{path}", "{product}", "-p", "plain.txt"]
products = "solved/{file}.txt"
[stage.draw]
each = "file"
after = "solve"
command = ["bin/draw", "{path}"]
[stage.installed]
each = "file"
command = ["ls", "{path}"]
"""


def survey(machine: str = "x86_64", libc: str = "glibc 2.28", *missing: str) -> Survey:
    return Survey(Platform(machine, libc, "/usr/bin/python3", "3.9.1", "cp39", {}), [], missing)


def told(needs: Program, there: Survey) -> list[str]:
    return misfits([Named("solve", "run", needs)], there, "at coulson")


def test_what_fits_is_not_told() -> None:
    needs = Program("x86_64", LOADER, (2, 17))
    assert told(needs, survey()) == []
    assert told(Program("x86_64", "", ()), survey(libc="")) == [], "whole in itself"
    assert told(Program("i686", "/lib/ld-linux.so.2", (2, 3, 4)), survey()) == []


@pytest.mark.parametrize(
    ("needs", "there", "said"),
    [
        (
            Program("aarch64", LOADER, (2, 17)),
            survey(),
            "is compiled for aarch64, and the machine at coulson is x86_64: compile it there",
        ),
        (
            Program("x86_64", LOADER, (2, 34)),
            survey(),
            "needs glibc 2.34, and glibc 2.28 is what is at coulson: compile it there, or link",
        ),
        (
            Program("x86_64", LOADER, ()),
            survey("x86_64", "", LOADER),
            f"needs {LOADER}, which is not at coulson: compile it there, or link it statically",
        ),
        (
            Program("", "/home/me/bin/python", ()),
            survey("x86_64", "", "/home/me/bin/python"),
            "needs /home/me/bin/python, which is not at coulson: begin it with `#!/usr/bin/env …`",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_remedy(needs: Program, there: Survey, said: str) -> None:
    (fault,) = told(needs, there)
    assert fault.startswith(f"solve, which 'run' runs, {said}")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("in", "bin"):
        (tmp_path / folder).mkdir()
    (tmp_path / "in/a.txt").write_text("a")
    (tmp_path / "plain.txt").write_text("#!/not/a/program\n")
    shutil.copy(shutil.which("ls") or "/bin/ls", tmp_path / "solve")
    (tmp_path / "bin/draw").write_text("#! /opt/lab/bin/gnuplot -c\nplot x\n")
    (tmp_path / "bin/draw").chmod(0o755)
    (tmp_path / "penstock.toml").write_text(TOML)
    return tmp_path


def test_programs_are_those_of_the_campaign_that_commands_name(root: Path) -> None:
    found = {one.path: one for one in programs_of(config.load(root).stages, root)}
    assert sorted(found) == ["bin/draw", "solve"]
    assert found["solve"].stage == "solve"
    assert found["solve"].needs.machine == os.uname().machine
    assert found["bin/draw"].needs == Program("", "/opt/lab/bin/gnuplot", ())
    assert interpreters_of(found.values()) == sorted(
        ["/opt/lab/bin/gnuplot", found["solve"].needs.interpreter]
    )


@pytest.mark.parametrize("first", ["#!/usr/bin/env python3", "#!", "plot x", ""])
def test_a_script_that_names_no_interpreter_of_its_own_needs_nothing(root: Path, first: str) -> None:
    (root / "bin/draw").write_text(f"{first}\n")
    assert [one.path for one in programs_of(config.load(root).stages, root)] == ["solve"]
