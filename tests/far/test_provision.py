"""Functions with numpy at a host that has a bare Python and no network but the cable to here."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.far.lab import Lab
from tests.far.rig import PYTHON, Rig
from tests.notebook.kernel import Notebook
from tests.sshd import HOST, Sshd
from tests.until import until
from tests.wheels import repack

from penstock import record

STAGES = """
[stage.norm]
each = "unit"
python = "norms:norm"
products = "norms/{unit}.txt"
"""
SITE = f'python = "{PYTHON}"\nworkdir = "~/penstock"\nrequirements = "numpy"\n'
FUNCTION = """\
import sys

def norm(task):
    import numpy
    with open(task.product(), "w") as file:
        print(int(numpy.linalg.norm([3 * task.key[0], 4 * task.key[0]])), sys.executable, file=file)
"""


@pytest.fixture
def lab(rig: Rig, lab_at: Callable[[Sshd], Lab], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """A campaign whose functions need numpy, logged in; pip finds it in a folder where the Python there is like ours."""
    if rig.run(PYTHON, "-V").stdout.split()[1].split(".")[:2] == [*platform.python_version_tuple()[:2]]:
        repack("numpy", tmp_path / "index")
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    lab = lab_at(rig).define(STAGES, units=3, site=SITE)
    (lab.root / "norms.py").write_text(FUNCTION)
    lab.login()
    return lab


def test_packages_are_installed_where_nothing_can_be_had(lab: Lab, rig: Rig) -> None:
    assert rig.run(PYTHON, "-c", "import numpy", check=False).returncode == 1
    refused = lab.penstock("check")
    assert refused.returncode == 2
    assert "run `penstock site provision far`" in refused.stderr
    made = lab.penstock("site", "provision", "far")
    assert made.returncode == 0, made.stdout + made.stderr
    assert lab.penstock("check").returncode == 0
    (there,) = rig.path("~/penstock/store/env").iterdir()
    python = str(rig.there / f"penstock/store/env/{there.name}/bin/python")
    told = rig.run(python, "-c", "import numpy; print(numpy.linalg.norm([3, 4]))")
    assert told.stdout == "5.0\n"


def large_files(rig: Rig) -> list[Path]:
    """Return the wheels that are there, or a part of them is."""
    return [path for path in rig.path("~/penstock").rglob("*.whl*") if path.stat().st_size > 1 << 21]


def test_a_cut_cable_costs_a_login_and_what_arrived_is_kept(lab: Lab, rig: Rig) -> None:
    going = lab.start("site", "provision", "far")
    until(lambda: going.poll() is not None or large_files(rig), "wheels are on their way", 60)
    lab.cut()
    going.wait(60)
    lab.login()
    made = lab.penstock("site", "provision", "far")
    assert made.returncode == 0, made.stdout + made.stderr
    assert len([*rig.path("~/penstock/store/env").iterdir()]) == 1


CELLS = f"""
import sys

import numpy
import penstock

legs = numpy.array([3.0, 4.0])
campaign = penstock.Campaign(
    "cells", levels=["unit"], units=penstock.table("units.csv", types={{"unit": "int"}}),
    sites={{"far": {{"host": {HOST!r}, "visibility": "2s", "python": {PYTHON!r}, "workdir": "~/penstock",
                    "requirements": ["numpy"]}}}},
)

@campaign.stage(each="unit", site="far", requires_python=">=3.6")
def norm(task):
    return {{"norm": float(numpy.linalg.norm(task.key[0] * legs)), "python": sys.executable}}
"""


def test_functions_of_cells_are_refused_until_they_are_there_and_run_with_them(lab: Lab, rig: Rig) -> None:
    (lab.root / "penstock.toml").unlink()
    notebook = Notebook(lab.root, lab.environment)
    try:
        assert notebook.run(CELLS).error == ""
        said = notebook.run("campaign.run()")
        assert said.error.startswith("DefinitionError: ")
        assert "run `penstock site provision far`" in said.error
        assert said.lines == [said.error]
        made = lab.penstock("site", "provision", "far")
        assert made.returncode == 0, made.stdout + made.stderr
        shown = notebook.run("campaign.run().code")
        assert (shown.value, shown.error) == ("0", "")
    finally:
        notebook.end()
    (there,) = rig.path("~/penstock/store/env").iterdir()
    with record.open(lab.root) as opened:
        made_there = [row.value for row in opened.results("norm")]
    assert [each["norm"] for each in made_there] == [5.0, 10.0, 15.0]
    assert {each["python"] for each in made_there} == {
        f"{rig.there}/penstock/store/env/{there.name}/bin/python"
    }


def test_functions_are_refused_before_a_job_where_nothing_says_what_python_they_get(
    lab: Lab, rig: Rig
) -> None:
    lab.define(STAGES, units=3, site='workdir = "~/penstock"\n')
    for command in ("check", "run"):
        refused = lab.penstock(command)
        assert refused.returncode == 2, refused.stdout + refused.stderr
        assert "does not say which Python at coulson has what it needs" in refused.stderr
    assert not rig.path("~/penstock").exists()
