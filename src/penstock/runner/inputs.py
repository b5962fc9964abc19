"""The inputs of a task: their names, where they are, and where they are copied to when its stage works on copies."""

import os
from typing import Any, Dict, FrozenSet, List, NamedTuple, Union, cast

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


class Origin(NamedTuple):
    """Where an input is: at a path, or in a store under a digest, there as a file, or as the manifest of a folder."""

    name: str
    path: str
    store: str
    digest: str = ""
    is_tree: bool = False


class Copies:
    """The copies of one task's inputs in a folder for it alone; of equal names each is in a folder of its own."""

    def __init__(self, job: Job, folder: str, task: Dict[str, Any]) -> None:
        self.places: Dict[Origin, str] = {}  # input → its copy
        self._job = job
        self._task = task
        self._stored: Dict[str, Any] = task.get("stored") or {}
        self._shared: FrozenSet[str] = frozenset(task.get("shared") or ())
        self._beside: Dict[str, List[str]] = task.get("beside") or {}
        self._folder = os.path.join(folder, ".inputs")
        self._known: Dict[str, str] = {}
        self._named: Dict[str, int] = {}

    def of(self, path: str) -> str:
        """Return where the copy of an input will be; one that all share is used where it is."""
        if path in self._shared:
            return path
        source = os.path.join(self._job.spec.root, path)
        if source not in self._known:
            name = os.path.basename(source.rstrip("/"))
            if name in ("", ".", ".."):
                raise Unfit("the input {} has no name and cannot be copied".format(path))
            self._named[name] = self._named.get(name, 0) + 1
            place = self._known[source] = os.path.join(self._folder, str(self._named[name]), name)
            self.places[self._origin_of(path, source)] = place
            for companion in self._beside.get(path, ()):
                self._put_beside(companion, source, place)
        return self._known[source]

    def _put_beside(self, path: str, file: str, place: str) -> None:
        """Let a companion of a file be copied, to where it is found from the copy of that file as it is from the file."""
        source = os.path.join(self._job.spec.root, path)
        way = os.path.relpath(source, os.path.dirname(file))
        target = os.path.normpath(os.path.join(os.path.dirname(place), way))
        if source not in self._known and target.startswith(self._folder + os.sep):
            self._known[source] = target
            self.places[self._origin_of(path, source)] = target

    def _origin_of(self, path: str, source: str) -> Origin:
        found, store = self._stored.get(path), self._job.spec.store
        if found is None:
            return Origin(path, source, store)
        is_tree = isinstance(found, dict)
        return Origin(path, source, store, found["tree"] if is_tree else found, is_tree)

    def stand_in(self) -> Dict[str, Any]:
        """Return the task with the copies as its inputs."""
        fields: Dict[str, Any] = self._task.get("fields") or {}
        inputs: Dict[str, Any] = self._task.get("inputs") or {}
        files = {name: self._stand_in(fields[name]) for name in PATH_FIELDS if fields.get(name)}
        copied = {stage: self._stand_in(self._named_in(given)) for stage, given in inputs.items()}
        return dict(self._task, fields=dict(fields, **files), inputs=copied)

    def _stand_in(self, given: Union[str, List[str]]) -> Union[str, List[str]]:
        return self.of(given) if isinstance(given, str) else [self.of(path) for path in given]

    def _named_in(self, given: Any) -> List[str]:
        try:
            return named_inputs(given, self._job.folder)
        except OSError as error:
            raise Unfit(
                "the list of inputs {} cannot be read: {}".format(given["list"], error.strerror)
            ) from error
