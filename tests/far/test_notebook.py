"""Functions that were typed in a script or a notebook run on a machine that shares nothing with this one."""

from collections.abc import Callable
from pathlib import Path

from tests.far.lab import Lab
from tests.far.rig import PYTHON, Rig
from tests.sshd import HOST, Sshd

from penstock.notebook.shell import leave_definition

ANALYSIS = """
import hashlib
from pathlib import Path

import penstock

SALT = ("sea", 3)
campaign = penstock.Campaign(
    "cells", levels=["file"], units=penstock.files("raw/{{file}}.txt", settle="0s"), sites={sites}
)


def digest(text):
    return hashlib.sha256(f"{{SALT}}{{text}}".encode()).hexdigest()


@campaign.stage(each="file", products="digests/{{file}}.txt", {where})
def summed(task):
    made = digest(Path(task.fields["path"]).read_text())
    task.product().write_text(made)
    return made[:8]


campaign.run()
"""
FAR = {"far": {"host": HOST, "visibility": "2s", "python": PYTHON}}


def analysed(lab: Lab, name: str, sites: object, where: str) -> dict[str, bytes]:
    """Run a script, and return the products."""
    (lab.root / name).write_text(ANALYSIS.format(sites=sites, where=where))
    if "far" in where:
        assert leave_definition(lab.root / name) == lab.root
        lab.login()
    done = lab.penstock("run", name)
    assert done.returncode == 0, done.stdout + done.stderr
    return {path.name: path.read_bytes() for path in sorted(lab.root.glob("digests/*"))}


def test_the_same_bytes_here_and_there(rig: Rig, lab_at: Callable[[Sshd], Lab], tmp_path: Path) -> None:
    lab = lab_at(rig)
    for root in (lab.root, tmp_path / "here"):
        (root / "raw").mkdir(parents=True)
        for number in range(5):
            (root / f"raw/{number}.txt").write_text(str(number))
    there = analysed(lab, "far.py", FAR, 'site="far"')
    assert len(there) == 5
    assert lab.outcomes() == {"ok": 5}
    here = Lab(tmp_path / "here", lab.config, lab.state)
    assert analysed(here, "here.py", {"local": {"cores": 2}}, "") == there
