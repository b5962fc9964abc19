"""Seeing what other machines wrote: a network file system asks its server about a folder that is opened (nfs(5))."""

import os
from typing import Any, Dict, FrozenSet, Iterable

from .inputs import named_inputs


def look_anew(folder: str) -> None:
    """Let a network file system forget what it remembers of the names in a folder; one that is missing is told by who uses it."""
    try:
        os.close(os.open(folder, os.O_RDONLY | os.O_NONBLOCK))
    except OSError:
        return


class FreshListings:
    """Looks anew at the folders of a task's inputs: what was not there a moment ago may be remembered as missing."""

    def __init__(self, root: str, job_folder: str) -> None:
        self._root = root
        self._job_folder = job_folder
        self._listed: Dict[str, FrozenSet[str]] = {}

    def refresh(self, inputs: Dict[str, Any]) -> None:
        for folder in self.folders(inputs):
            look_anew(os.path.join(self._root, folder))

    def folders(self, inputs: Dict[str, Any]) -> FrozenSet[str]:
        """Return the folders where the inputs of a task lie, as they are written."""
        none: FrozenSet[str] = frozenset()
        return none.union(*(self._of_stage(given) for given in inputs.values()))

    def _of_stage(self, given: Any) -> FrozenSet[str]:
        if not isinstance(given, dict):
            return folders_of(given)
        name = str(given["list"])  # type: ignore[reportUnknownArgumentType]
        if name not in self._listed:
            self._listed[name] = self._folders_of_list(given)
        return self._listed[name]

    def _folders_of_list(self, given: Any) -> FrozenSet[str]:
        try:
            return folders_of(named_inputs(given, self._job_folder))
        except OSError:
            return frozenset()


def folders_of(paths: Iterable[str]) -> FrozenSet[str]:
    return frozenset(os.path.dirname(path) for path in paths)
