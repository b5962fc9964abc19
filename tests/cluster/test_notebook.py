"""A notebook's campaign gives the same bytes wherever it runs: here, on Slurm, at a host that shares nothing, from the shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.cluster.slurm import Slurm
from tests.far.conftest import brought_up
from tests.far.lab import Lab
from tests.far.rig import PYTHON, Rig
from tests.notebook.kernel import Notebook
from tests.sshd import HOST
from tests.until import until

from penstock import record
from penstock.unattended.detached import find_holder

# Cells, as in a notebook: where it runs is the first one's.
CELLS = (
    "WHERE = {where}",
    """
import hashlib
from pathlib import Path
import penstock

SALT = ("sea", 3)
campaign = penstock.Campaign(
    "cells", levels=["file"], units=penstock.files("raw/{{file}}.txt", settle="0s"),
    sites=WHERE["sites"], root={root!r},
)
""",
    """
def digest(text):
    return hashlib.sha256(f"{{SALT}}{{text}}".encode()).hexdigest()


@campaign.stage(each="file", products="digests/{{file}}.txt", **WHERE["stage"])
def summed(task):
    made = digest(Path(task.fields["path"]).read_text())
    task.product().write_text(made)
    return {{"digest": made[:8], "third": len(made) / 3}}
""",
    "print(campaign.run().code)",
)
LOCAL: dict[str, dict[str, Any]] = {
    "one process": {"sites": {"local": {"cores": 1}}, "stage": {}},
    "two workers": {"sites": {"local": {"cores": 2}}, "stage": {"batch": 1}},
}
SLURM = {
    "sites": {"cluster": {"scheduler": "slurm", "python": PYTHON, "visibility": "2s"}},
    "stage": {"site": "cluster", "batch": 2},
}
FAR = {
    "sites": {"far": {"host": HOST, "visibility": "2s", "python": PYTHON}},
    "stage": {"site": "far", "batch": 2},
}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    yield from brought_up(Rig(tmp_path / "rig"))


@pytest.fixture
def lab(rig: Rig, tmp_path: Path) -> Iterator[Lab]:
    """What reaches that host."""
    made = Lab(tmp_path / "far", rig.config)
    yield made
    made.end()


@pytest.fixture
def notebook(slurm_bare: Slurm, lab: Lab, tmp_path: Path) -> Iterator[Notebook]:
    """A kernel of somebody who may use both."""
    notebook = Notebook(tmp_path, {**lab.environment, **slurm_bare.env})
    yield notebook
    notebook.end()


def cells_for(where: object, root: Path) -> list[str]:
    """Return the cells, and write what they read."""
    (root / "raw").mkdir(parents=True)
    for number in range(3):
        (root / f"raw/{number}.txt").write_text(str(number))
    return [cell.format(where=where, root=str(root)) for cell in CELLS]


def made_in(root: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return what the function returned, by unit, and the products."""
    with record.open(root) as opened:
        returned = {row.unit: row.value for row in opened.results("summed")}
    return returned, {path.name: path.read_bytes() for path in sorted(root.glob("digests/*"))}


def run_cells(notebook: Notebook, root: Path, where: object, lab: Lab | None = None) -> Any:
    """Run the cells in a kernel, logged in by `lab`; return what came of them."""
    *cells, run = cells_for(where, root)
    for cell in cells:
        assert notebook.run(cell).error == ""
    if lab:
        notebook.run("campaign.freeze()")
        lab.login()
    if lab:
        interrupt_twice(notebook, run, root)
    shown = notebook.run(run)
    assert (shown.printed, shown.error, len(shown.displays)) == ("0\n", "", 1)
    return made_in(root)


def living_below(notebook: Notebook) -> list[psutil.Process]:
    living = list[psutil.Process]()
    for process in psutil.Process(notebook.pid).children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # it ended since
            living += [process] if process.status() != psutil.STATUS_ZOMBIE else []
    return living


def interrupt_twice(notebook: Notebook, run: str, root: Path) -> None:
    """Run a campaign, and interrupt it twice while its conductor goes to another machine for the first time."""
    sent = notebook.send(run)
    until(lambda: find_holder(root), "it is at work")
    notebook.interrupt()
    notebook.interrupt()
    shown = notebook.collect(sent)
    assert shown.error.startswith("Detached: no longer shown; the work goes on")
    assert len(shown.displays) == 1
    assert notebook.run("1 + 1").value == "2"


def sites_in(root: Path, lab: Lab) -> list[tuple[Any, ...]]:
    return Lab(root, lab.config, lab.state).rows("SELECT DISTINCT site FROM job")


def test_the_same_bytes_wherever_it_runs(notebook: Notebook, lab: Lab, tmp_path: Path) -> None:
    one, two = (run_cells(notebook, tmp_path / name, where) for name, where in LOCAL.items())
    slurm = run_cells(notebook, tmp_path / "slurm", SLURM)
    far = run_cells(notebook, lab.root, FAR, lab)
    assert lab.outcomes() == {"ok": 3}
    until(lambda: not living_below(notebook), "nothing is left")
    assert [sites_in(tmp_path / name, lab) for name in ("slurm", "far")] == [[("cluster",)], [("far",)]]
    assert (len(one[0]), len(one[1])) == (3, 3)
    assert one == two == slurm == far

    shell = Lab(tmp_path / "shell", lab.config, lab.state)
    cells = cells_for(LOCAL["two workers"], shell.root)
    written = {"cells": [{"cell_type": "code", "source": cell} for cell in cells]}
    (shell.root / "analysis.ipynb").write_text(json.dumps(written))
    done = shell.penstock("run", "analysis.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
    assert made_in(shell.root) == one
