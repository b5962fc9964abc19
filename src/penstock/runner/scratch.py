"""Scratch folders, and the input files that are written there from templates."""

import os
import re
import stat
from typing import Any, Dict, List, Match, Optional, Sequence

from .errors import Unfit, Unwell, explain
from .folders import of_earlier_lives, remove, remove_empty
from .kinds import Odd, open_file
from .products import Planned
from .spec import Job, Stage
from .values import named_values

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
PLACEHOLDER = re.compile(r"\{(\{)?([A-Za-z_][A-Za-z0-9_.]*)(?::([^{}\n]*))?\}(\})?")


def make_scratch(job: Job, stage: Stage, slot: int, number: int) -> str:
    """Make the private folder in which one task runs."""
    path = os.path.join(scratch_of(job, stage), "{}.{}.{}".format(job.tag, slot, number))
    try:
        os.makedirs(path, mode=0o700)
        owner = os.lstat(os.path.dirname(os.path.dirname(path)))
    except OSError as error:
        raise explain(error, "cannot make the scratch folder {}".format(path)) from error
    if stage.scratch_at and (owner.st_uid != os.geteuid() or not stat.S_ISDIR(owner.st_mode)):
        raise Unwell("the scratch folder {} is in a folder of somebody else".format(path))
    return path


def scratch_of(job: Job, stage: Stage) -> str:
    """Return the folder of all scratch folders of a stage; raise Unwell when this node does not have it."""
    if not stage.scratch_at:
        return os.path.join(job.spec.root, ".penstock", "scratch")
    variables = dict(os.environ, **job.spec.environment)
    place = VARIABLE.sub(lambda found: variables.get(found.group(1) or found.group(2), ""), stage.scratch_at)
    if not os.path.isabs(place) or not os.path.isdir(place):
        raise Unwell(
            "stage {} works in {}, and there is no such folder on this node ({!r})".format(
                stage.name, stage.scratch_at, place
            )
        )
    return os.path.join(place, ".penstock-{}".format(os.geteuid()), "scratch")


def work_inside(scratch: str, planned: Sequence[Planned]) -> List[Planned]:
    """Let products be written in a scratch folder of the node: they are copied to where they go when they are complete."""
    folders: Dict[str, str] = {}
    for plan in planned:
        folder = os.path.dirname(plan.final)
        folders.setdefault(folder, os.path.join(scratch, ".products", str(len(folders) + 1)))
    for folder in folders.values():
        os.makedirs(folder)
    paths = [os.path.split(plan.final) for plan in planned]
    return [p._replace(temporary=os.path.join(folders[f], name)) for p, (f, name) in zip(planned, paths)]


def remove_scratch(path: str) -> None:
    """Remove a task's scratch folder, and those above it when they are empty."""
    remove(path)
    parent = os.path.dirname(path)
    remove_empty(parent)
    remove_empty(os.path.dirname(parent))


def remove_earlier_scratch(job: Job, whys: Sequence[str]) -> None:
    """Remove the scratch folders of earlier lives, but for those that a reason points people to."""
    for parent in {place for stage in job.spec.stages.values() for place in _places(job, stage)}:
        for path in of_earlier_lives(job, parent):
            if not any(path in why for why in whys):
                remove_scratch(path)


def _places(job: Job, stage: Stage) -> List[str]:
    try:
        return [scratch_of(job, stage)] if stage.scratch else []
    except Unwell:
        return []


def render_templates(stage: Stage, task: Dict[str, Any], *, root: str, folder: str) -> None:
    """Write the stage's input files into `folder`."""
    values = named_values(stage, task)
    for name, template in stage.templates.items():
        path = os.path.join(folder, name)
        try:
            fd = open_file(os.path.realpath(os.path.join(root, template)))
            with open(fd, encoding="utf-8", errors="surrogateescape", newline="") as file:
                text = file.read()
        except Odd as odd:
            raise Unfit("the template {} {}".format(template, odd)) from odd
        except OSError as error:
            raise Unfit("the template {} cannot be read: {}".format(template, error.strerror)) from error
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
                file.write(render_template(text, values, template))
        except OSError as error:
            raise explain(error, "cannot write {}".format(path)) from error


def render_template(text: str, values: Dict[str, Any], where: str) -> str:
    """Fill `{name}` and `{name:format}`; `{{name}}` stands for the text `{name}`.

    >>> render_template("n = {n:03d}; {{n}}; {}", {"n": 7}, "a.inp")
    'n = 007; {n}; {}'
    """

    def fill(found: "Match[str]") -> str:
        if found.group(1) and found.group(4):
            return found.group()[1:-1]
        before, after = found.group(1) or "", found.group(4) or ""
        return before + _formatted(found.group(2), found.group(3), values, where) + after

    return PLACEHOLDER.sub(fill, text)


def _formatted(name: str, form: Optional[str], values: Dict[str, Any], where: str) -> str:
    if name not in values:
        known = ", ".join(sorted(values)) or "none"
        raise Unfit(
            "the template {} names {{{}}}, which is unknown; known are: {}".format(where, name, known)
        )
    try:
        return format(values[name], form or "")
    except (ValueError, TypeError) as error:
        raise Unfit("the template {} cannot format {{{}:{}}}: {}".format(where, name, form, error)) from error
