"""The demonstration: the Ising model, built here, through its transition on three sizes."""

from __future__ import annotations

import shutil
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.workflows.setup import demo
from penstock.workflows.setup.demo import Say
from penstock.workflows.sweep.campaign import begin_campaign, lay_out
from penstock.workflows.sweep.plan import describe_plan
from penstock.workflows.sweep.sweep import FILE

SWEEP = """[sweep]
program = "ising"
repeat = 3

[vary]
temperature = { start = 1.5, stop = 3.5, count = 11 }
size = [6, 12, 24]
"""


def run_demo(folder: Path, say: Say, scheduler: str | None = None) -> None:
    """Lay a sweep of the model out, run it, say where to look. Raises DefinitionError without a C compiler."""
    demo.run_demo(folder, lambda: _set_up(folder, say), say=say, scheduler=scheduler)
    say(f"and at {folder}/results.csv")


def _set_up(folder: Path, say: Say) -> None:
    if not shutil.which("cc"):
        raise DefinitionError("there is no C compiler `cc` on PATH, which builds the model; install one")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / FILE).write_text(SWEEP, encoding="utf-8")
    begin_campaign(folder, "ising")
    for line in describe_plan(lay_out(folder).plan):
        say(line)
