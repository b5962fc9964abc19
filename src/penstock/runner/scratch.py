"""Scratch folders, and the input files that are written there from templates."""

import os
import re
import stat
from typing import Any, Dict, List, Match, Optional, Sequence, Tuple

from .errors import Unfit, Unwell, explain
from .files import remove, remove_empty
from .folders import make_folder, of_earlier_lives
from .identity import boot_id
from .kinds import Odd, open_file
from .locks import hold_folder, take_abandoned
from .products import Planned
from .spec import Job, Stage
from .values import named_values

VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)\})")
#: nodes that share a disk may not see each other's locks: each looks only at what it made itself since it was started
NODE = boot_id()[:8] or os.uname().nodename
PLACEHOLDER = re.compile(r"\{(\{)?([A-Za-z_][A-Za-z0-9_.]*)(?::([^{}\n]*))?\}(\})?")


def make_scratch(job: Job, stage: Stage, slot: int, number: int) -> Tuple[str, Optional[int]]:
    """Make the private folder of one task; on the node, also return what holds it as long as we live."""
    parent = scratch_of(job, stage)
    path = os.path.join(parent, "{}.{}.{}".format(job.tag, slot, number))
    try:
        if not stage.scratch_at:
            make_folder(path, mode=0o700)
            return path, None
        hold = hold_folder(path)
        if not _is_ours(os.path.dirname(parent)):
            os.close(hold)
            raise Unwell("the scratch folder {} is in a folder of somebody else".format(path))
        return path, hold
    except OSError as error:
        raise explain(error, "cannot make the scratch folder {}".format(path)) from error


def _is_ours(folder: str) -> bool:
    status = os.lstat(folder)
    return status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode)


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
    return os.path.join(place, ".penstock-{}".format(os.geteuid()), NODE)


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
    """Remove the scratch folders of earlier lives, but for those that a reason points people to.

    On the node's own disk, remove those of every runner that died.
    """
    stages = [stage for stage in job.spec.stages.values() if stage.has_private_folder]
    for parent in {place for stage in stages for place in _places(job, stage)}:
        for path in of_earlier_lives(job, parent):
            if not any(path in why for why in whys):
                remove_scratch(path)
    for parent in {place for stage in stages if stage.scratch_at for place in _places(job, stage)}:
        for path in take_abandoned(parent):
            remove_scratch(path)


def _places(job: Job, stage: Stage) -> List[str]:
    """Return the folder of all scratch folders of a stage, if there is one that we made."""
    try:
        place = scratch_of(job, stage)
        is_made = not stage.scratch_at or _is_ours(os.path.dirname(place))
        return [place] if is_made and os.path.isdir(place) else []
    except (Unwell, OSError):
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
