"""Stages of the toy chain that use what is chosen for their run: its cleaning, and its model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from penstock.workflows.telescope.toy import stages

if TYPE_CHECKING:
    from penstock.runner.task import Task


class _Given:
    """A task with more parameters than its stage has."""

    def __init__(self, task: Task, more: dict[str, Any]) -> None:
        self._task, self._more = task, more

    @property
    def params(self) -> dict[str, Any]:
        return {**self._task.params, **self._more}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._task, name)


def dl1ab(task: Task) -> dict[str, Any]:
    """Clean the images of a subrun as the file `cleaning_path` says: a JSON object of picture, boundary and neighbours."""
    path = Path(task.fields["cleaning_path"])
    try:
        cleaning = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        task.fail(f"the cleaning {task.fields['cleaning']} cannot be read from {path}: {error}")
    return stages.dl1ab(cast("Task", _Given(task, {"cleaning": cleaning})))


def dl1_to_dl2(task: Task) -> dict[str, Any]:
    """Reconstruct events with the forests in `model_path`; `penstock telescope train` makes them."""
    return stages.dl1_to_dl2(cast("Task", _Given(task, {"models": task.fields["model_path"]})))
