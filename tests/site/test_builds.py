"""Programs that are built at a site, which is this machine with a folder of its own."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from penstock.campaign import Program, Site
from penstock.clock import SystemClock
from penstock.site.builds import Builds
from penstock.site.trial import Trial

SOURCE = "#!/bin/sh\necho $LAB\n"


def program_in(root: Path, build: str, *, text: str = SOURCE) -> Program:
    """Return a program of one source."""
    root.mkdir(exist_ok=True)
    (root / "tide.sh").write_text(text)
    files = {"tide.sh": hashlib.sha256(text.encode()).hexdigest()}
    return Program("tide", build, "tide", ("tide.sh",), files)


MAKE = "cp tide.sh tide\nchmod +x tide"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site("cluster", "slurm", workdir=tmp_path / "work")


def test_campaigns_of_one_workdir_share_what_is_the_same(site: Site, tmp_path: Path) -> None:
    counted = f"echo once >> {tmp_path}/count\n{MAKE}"
    one = Builds(site, tmp_path / "winter")
    other = Builds(site, tmp_path / "summer")
    program = program_in(tmp_path / "winter", counted)
    assert one.ask(program, wait_s=30).is_built
    assert other.ask(program_in(tmp_path / "summer", counted)).is_built
    assert (tmp_path / "count").read_text() == "once\n"
    assert other.executable(program) == one.executable(program)
    assert one.executable(program).startswith(f"{tmp_path}/work/store/build/")
    (users,) = (tmp_path / "work/store/build").glob("*/users")
    assert sorted(name.rpartition("-")[0] for name in os.listdir(users)) == ["summer", "winter"]


def test_set_up_and_environment_are_those_of_the_site(site: Site, tmp_path: Path) -> None:
    own = replace(site, setup=("echo loading; TOOL=cp",), environment={"LAB": "7"})
    program = program_in(tmp_path / "winter", 'echo "echo $LAB" > tide; chmod +x tide; test -z "$SECRET"')
    builds = Builds(own, tmp_path / "winter")
    os.environ["SECRET"] = "x"
    try:
        assert builds.ask(program, wait_s=30).is_built
    finally:
        del os.environ["SECRET"]
    assert (
        subprocess.run(["sh", builds.executable(program)], capture_output=True, text=True, check=True).stdout
        == "7\n"
    )
    assert Builds(site, tmp_path / "winter").executable(program) != builds.executable(program)


def test_a_line_of_the_set_up_that_fails_fails_the_build(site: Site, tmp_path: Path) -> None:
    broken = replace(site, setup=("module-that-is-not-there load gcc",))
    found = Builds(broken, tmp_path / "winter").ask(program_in(tmp_path / "winter", MAKE), wait_s=30)
    assert found.state == "failed"
    assert "module-that-is-not-there: not found" in found.why


def test_each_line_of_a_build_must_do(site: Site, tmp_path: Path) -> None:
    found = Builds(site, tmp_path / "winter").ask(
        program_in(tmp_path / "winter", f"false\n{MAKE}"), wait_s=30
    )
    assert "`false; …` ended with exit code 1" in found.why


def test_what_a_container_brings_builds_within_it(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "apptainer").write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/called\nshift 4\nexec "$@"\n')
    (tools / "apptainer").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    boxed = replace(site, container="/images/lab.sif", python="/only/in/the/image/python3")
    assert Builds(boxed, tmp_path / "winter").ask(program_in(tmp_path / "winter", MAKE), wait_s=30).is_built
    called = (tmp_path / "called").read_text()
    assert called.startswith(f"exec --bind {tmp_path}/work/store/build /images/lab.sif /bin/sh -e -c ")


def test_a_source_that_is_gone_or_other_is_told(site: Site, tmp_path: Path) -> None:
    builds = Builds(site, tmp_path / "winter")
    program = program_in(tmp_path / "winter", MAKE)
    (tmp_path / "winter/tide.sh").write_text(SOURCE.upper())
    assert "tide.sh could not be sent" in builds.ask(program).why
    (tmp_path / "winter/tide.sh").unlink()
    assert "tide.sh could not be sent" in builds.ask(program).why


def test_a_trial_builds_and_says_so(make_site: Callable[..., Any], tmp_path: Path) -> None:
    from answers import Answers

    site, slurm = make_site(Answers(runs=(1, 2)), python=sys.executable)
    program, told = program_in(tmp_path, MAKE), list[str]()
    found = Trial(site, SystemClock(), wait_s=60.0, built=[program], tell=told.append).run()
    assert (found.exit_code, found.built) == (0, ("tide",))
    assert told[0] == "building tide"
    assert "  built        tide\n" in found.to_text()
    broken = program_in(tmp_path, "cc: not here")
    found = Trial(site, SystemClock(), wait_s=60.0, built=[broken], tell=told.append).run()
    assert found.exit_code == 1
    assert found.faults[0].startswith("tide cannot be built here: `cc: not here` ended with exit code 127")
    assert slurm.commands().count("sbatch") == 1, "nothing is submitted then"
