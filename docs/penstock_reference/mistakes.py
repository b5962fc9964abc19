"""Common mistakes, as small campaigns that make them: the reference shows what penstock really says."""

import os
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from penstock.campaign import Campaign
from penstock.clock import SystemClock
from penstock.conductor import Conductor
from penstock.conductor.plan import plan
from penstock.config import check, load
from penstock.errors import PenstockError
from penstock.ledger.hosts.lease import held

GOOD = """[campaign]
name = "winter"
levels = ["night", "run"]
[units]
files = "raw/{night}/{run:05d}.dat"
settle = "0s"
[stage.calibrate]
each = "run"
command = ["cp", "{path}", "{product}"]
products = "calibrated/{night}/{run:05d}.dat"
[stage.merge]
each = "night"
after = ["calibrate"]
command = ["sort", "-o", "{product}", "{inputs.calibrate}"]
products = "{night}.txt"
"""

DATA = {"raw/2026-01-17/00001.dat": "1\n", "raw/2026-01-17/00002.dat": "2\n"}


def check_only(campaign: Campaign) -> None:
    check(campaign)


def make_plan(campaign: Campaign) -> None:
    plan(campaign)


def watch_once(campaign: Campaign) -> None:
    with Conductor(campaign, command="watch") as conductor:
        conductor.tick()


def run_while_held(campaign: Campaign) -> None:
    with held(campaign.root, command="up", clock=SystemClock()), Conductor(campaign, command="run"):
        pass


@dataclass(frozen=True)
class Mistake:
    """What is wrong, made from a good definition by replacing `old` with `new`."""

    cause: str
    remedy: str
    old: str = ""
    new: str = ""
    files: Mapping[str, str] = field(default_factory=lambda: DATA)
    act: Callable[[Campaign], None] = check_only


MISTAKES = {
    "A key is misspelt": Mistake(
        "A key that penstock does not know, which would otherwise be silently ignored.",
        "Use the key that it names.",
        'products = "{night}.txt"',
        'product = "{night}.txt"',
    ),
    "There is no such stage": Mistake(
        "`after` names a stage that the file does not have.",
        "Correct the name.",
        'after = ["calibrate"]',
        'after = ["calibrat"]',
    ),
    "Stages wait for each other": Mistake(
        "Two stages are `after` each other, directly or through others.",
        "Remove one `after`.",
        '[stage.calibrate]\neach = "run"',
        '[stage.calibrate]\neach = "run"\nafter = ["merge"]',
    ),
    "There is no such field": Mistake(
        "A placeholder names neither a level nor a field of these units.",
        "Use an existing one, or add it with `derive`.",
        "{path}",
        "{pth}",
    ),
    "A field of a finer level": Mistake(
        "The stage runs for each night; a night has many runs and no single one.",
        "Take a coarser field, or give the stage the finer level.",
        '"{night}.txt"',
        '"{night}-{run}.txt"',
    ),
    "Units with one product": Mistake(
        "The path has no field that distinguishes the units.",
        "Add the levels to the path.",
        "calibrated/{night}/{run:05d}.dat",
        "calibrated/{night}.dat",
        act=make_plan,
    ),
    "A command as one text": Mistake(
        "Without a shell nothing splits the text into arguments.",
        "Write a list, or ask for a shell.",
        '["cp", "{path}", "{product}"]',
        '"cp {path} {product}"',
    ),
    "Quotes around a placeholder": Mistake(
        "In shell text penstock quotes each placeholder itself; quotes around it would undo that.",
        "Remove the quotes.",
        'command = ["cp", "{path}", "{product}"]',
        "shell = true\ncommand = 'cp \"{path}\" {product}'",
    ),
    "A missing program": Mistake(
        "The command's first item is neither on the PATH nor a file of the campaign.",
        "Install it, load its module, or correct the name.",
        '"cp"',
        '"calibrate-it"',
    ),
    "A missing function": Mistake(
        "The module was found, the function was not.",
        "Correct `module:function`; a module of the campaign is beside `penstock.toml`.",
        'command = ["cp", "{path}", "{product}"]',
        'python = "steps:calibrate"',
        {**DATA, "steps.py": "def calibrated(task):\n    pass\n"},
    ),
    "No files": Mistake(
        "Nothing matches the pattern.",
        "Compare the pattern with the files.",
        "raw/{night}/{run:05d}.dat",
        "raw/{night}/{run:05d}.data",
        act=make_plan,
    ),
    "Two files with one key": Mistake(
        "The pattern gives two files the same name.",
        "Make what differs a level, or gather such files with `many`.",
        'files = "raw/{night}/{run:05d}.dat"',
        'files = "raw/{night}/{run:05d}.{kind}"',
        {**DATA, "raw/2026-01-17/00001.old": "1\n"},
        make_plan,
    ),
    "A merge under watch": Mistake(
        "While new files may come, nothing says when a night has all its runs.",
        "Add `complete` for that level ([forms](definition.md#complete-groups)).",
        act=watch_once,
    ),
    "Another conductor is running": Mistake(
        "One conductor at a time writes the record. A dead one is replaced automatically.",
        "Wait, or `penstock down`.",
        act=run_while_held,
    ),
}


def provoke(mistake: Mistake) -> str:
    """Make the mistake in a folder of its own and return what penstock says."""
    if mistake.old not in GOOD:
        raise LookupError(f"{mistake.old!r} is not in the good definition")
    with tempfile.TemporaryDirectory(prefix="penstock-docs-") as name:
        folder = Path(name)
        for path, text in {
            **mistake.files,
            "penstock.toml": GOOD.replace(mistake.old, mistake.new, 1),
        }.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        try:
            mistake.act(load(folder))
        except PenstockError as error:
            return anonymous(f"penstock: {error}", name)
    raise LookupError(f"this mistake is none any more: {mistake.cause}")


def anonymous(text: str, folder: str) -> str:
    """Write the sentence as if it came from a quiet place."""
    text = text.replace(folder, "/data/winter").replace(f" on {os.uname().nodename}", " on lab1")
    text = re.sub(r"process \d+", "process 4711", text)
    return re.sub(r"since [\d-]+ [\d:]+", "since 2026-01-17 20:15:00", text)
