"""The inputs of a task: their names, and where they are copied to when its stage works on copies."""

import os
from typing import Any, Dict, List, Union, cast

from .errors import Unfit
from .spec import Job

PATH_FIELDS = ("path", "paths")  # the files of a unit


def named_inputs(given: Any, job_folder: str) -> List[str]:
    """Return the inputs from one upstream stage, as they are written in the task or in the file that lists them."""
    if isinstance(given, list):
        return cast("List[str]", given)
    path = os.path.join(job_folder, given["list"])
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        return [line for line in file.read().split("\n") if line]


class Copies:
    """The copies of one task's inputs in its scratch folder; of equal names each is in a folder of its own."""

    def __init__(self, job: Job, scratch: str) -> None:
        self.places: Dict[str, str] = {}  # input → its copy
        self._job = job
        self._folder = os.path.join(scratch, ".inputs")
        self._named: Dict[str, int] = {}

    def of(self, path: str) -> str:
        """Return where the copy of an input will be."""
        source = os.path.join(self._job.spec.root, path)
        if source not in self.places:
            name = os.path.basename(source.rstrip("/"))
            if name in ("", ".", ".."):
                raise Unfit("the input {} has no name and cannot be copied".format(path))
            self._named[name] = self._named.get(name, 0) + 1
            self.places[source] = os.path.join(self._folder, str(self._named[name]), name)
        return self.places[source]

    def stand_in(self, task: Dict[str, Any]) -> Dict[str, Any]:
        """Return a task whose inputs are the copies."""
        fields: Dict[str, Any] = task.get("fields") or {}
        inputs: Dict[str, Any] = task.get("inputs") or {}
        files = {name: self._stand_in(fields[name]) for name in PATH_FIELDS if fields.get(name)}
        copied = {stage: self._stand_in(self._named_in(given)) for stage, given in inputs.items()}
        return dict(task, fields=dict(fields, **files), inputs=copied)

    def _stand_in(self, given: Union[str, List[str]]) -> Union[str, List[str]]:
        return self.of(given) if isinstance(given, str) else [self.of(path) for path in given]

    def _named_in(self, given: Any) -> List[str]:
        try:
            return named_inputs(given, self._job.folder)
        except OSError as error:
            raise Unfit(
                "the list of inputs {} cannot be read: {}".format(given["list"], error.strerror)
            ) from error
