"""Programs that are compiled at a host that shares nothing with this one, from sources of the campaign."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.far.lab import Lab
from tests.far.rig import Rig
from tests.sshd import Sshd
from tests.until import until

STAGES = """
[program.half]
sources = "src"
build = "echo once >> ~/built; make -C src"
executable = "src/half"

[stage.half]
each = "unit"
command = ["{program.half}", "{unit}", "{product}"]
products = "half/{unit}.txt"
batch = 4
"""
MAKEFILE = "half: half.c half.h\n\tcc -o half half.c\n"
PROGRAM = """\
#include <stdio.h>
#include <stdlib.h>
#include "half.h"
int main(int count, char **words) {
    FILE *file = fopen(words[2], "w");
    fprintf(file, "%d\\n", atoi(words[1]) / PARTS);
    return fclose(file);
}
"""


@pytest.fixture
def lab(rig: Rig, lab_at: Callable[[Sshd], Lab]) -> Lab:
    """A campaign whose program is compiled there, logged in."""
    if rig.run("cc", "--version", check=False).returncode:
        pytest.skip("there is no C compiler: install gcc and libc6-dev")
    lab = lab_at(rig).define(STAGES, units=8, site='workdir = "~/penstock"')
    (lab.root / "src").mkdir()
    for name, text in {"half.c": PROGRAM, "half.h": "#define PARTS 2\n", "Makefile": MAKEFILE}.items():
        (lab.root / "src" / name).write_text(text)
    (lab.root / "src/half.o").write_text("of another machine")
    lab.login()
    return lab


def built(rig: Rig) -> int:
    path = rig.path("~/built")
    return len(path.read_text().splitlines()) if path.exists() else 0


def made(lab: Lab) -> dict[int, int]:
    return {int(path.stem): int(path.read_text()) for path in (lab.root / "half").glob("*.txt")}


def test_sources_travel_and_are_compiled_once(lab: Lab, rig: Rig) -> None:
    tested = lab.penstock("site", "test", "far")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "  built        half\n" in tested.stdout
    assert lab.start().wait(120) == 0, lab.said()
    assert made(lab) == {n: n // 2 for n in range(1, 9)}
    assert built(rig) == 1
    (place,) = rig.path("~/penstock/store/build").glob("*/files")
    assert sorted(p.name for p in (place / "src").iterdir()) == ["Makefile", "half", "half.c", "half.h"]
    (lab.root / "src/half.h").write_text("#define PARTS 1\n")
    assert lab.start("run", "--stale").wait(120) == 0, lab.said()
    assert made(lab) == {n: n for n in range(1, 9)}
    assert built(rig) == 2


def test_what_the_compiler_says_is_told_here(lab: Lab, rig: Rig) -> None:
    (lab.root / "src/half.h").write_text("#define PARTS here\n")
    assert lab.start().wait(60) == 1
    said = lab.said()
    assert "half cannot be built at " in said
    assert "half.h:1:15: error: " in said
    assert lab.states() == {"ready": 8}
    assert lab.rows("SELECT count(*) FROM job") == [(0,)], "nothing is submitted"
    log = said.partition("all that it said is in ")[2].partition(";")[0]
    assert "half.h:1:15: error: " in rig.path(log).read_text()


def builder_in(rig: Rig) -> psutil.Process | None:
    """Return who builds there: what a build started has it above itself."""
    with suppress(psutil.Error):  # others come and go
        above = [one for sleep in rig.living() if sleep.name() == "sleep" for one in sleep.parents()]
        return next((one for one in above if any(".builder-" in word for word in one.cmdline())), None)
    return None


def test_a_cut_cable_and_a_killed_build_cost_a_login_and_a_build(lab: Lab, rig: Rig) -> None:
    (lab.root / "src/Makefile").write_text("half: half.c\n\tsleep 8; cc -o half half.c\n")
    conductor = lab.start()
    until(lambda: built(rig) == 1, "it has begun", 60)
    lab.cut()
    until(lambda: "needs you" in lab.said(), "it says what it needs", 60)
    lab.login()
    until(lambda: builder_in(rig), "it is being built", 60).kill()
    assert conductor.wait(180) == 0, lab.said()
    assert made(lab) == {n: n // 2 for n in range(1, 9)}
    assert built(rig) == 2
    assert Path(rig.path("~/penstock/store/build")).exists()
