"""Private folders beside the products, for what is unfinished."""

import os
from collections import OrderedDict
from typing import Iterable, List, NamedTuple, Set

from .errors import explain
from .files import remove, remove_empty
from .spec import Job

KEPT_FOLDERS = 16


class Private(NamedTuple):
    """Where one slot's tasks write for one product folder, and where finished products wait."""

    work: str
    held: str


class PrivateFolders:
    """The private folders of one slot, made when first needed and reused."""

    def __init__(self, job: Job, slot: int) -> None:
        self._fresh: Set[str] = set()  # folders in which a product folder was made
        self._job = job
        self._name = "{}.{}".format(job.tag, slot)
        self._known: "OrderedDict[str, Private]" = OrderedDict()

    def open(self, folder: str) -> Private:
        """Return the private folder for products that go to `folder`; make both when missing."""
        private = self._known.get(folder)
        if private is None:
            work = os.path.join(folder, ".penstock", self._name)
            private = Private(work, work + ".done")
            try:
                self._make(folder, private)
            except OSError as error:
                raise explain(error, "cannot make the folder {}".format(work)) from error
            self._known[folder] = private
        return private

    def take_fresh(self) -> Set[str]:
        """Return the folders that got a new folder since the last call: they must be made durable."""
        fresh, self._fresh = self._fresh, set()
        return fresh

    def sweep(self, folders: Iterable[str]) -> None:
        """Empty the private folders after a task."""
        for folder in set(folders):
            private = self._known[folder]
            if os.path.islink(private.work):  # a task put it there: what it leads to is not ours
                os.unlink(private.work)
            try:
                names = os.listdir(private.work)
            except OSError:
                del self._known[folder]
                continue
            for name in names:
                remove(os.path.join(private.work, name))

    def shrink(self, used: Iterable[str], keep: int = KEPT_FOLDERS) -> None:
        """Remove the private folders that were not needed for long."""
        for folder in list(self._known)[: max(0, len(self._known) - keep)]:
            if folder not in used:
                self._discard(folder)

    def close(self) -> None:
        for folder in list(self._known):
            self._discard(folder)

    def _make(self, folder: str, private: Private) -> None:
        self._fresh.update(_missing_above(folder))
        make_folder(private.work)
        make_folder(private.held)

    def _discard(self, folder: str) -> None:
        private = self._known.pop(folder)
        remove(private.work)
        remove(private.held)
        remove_empty(os.path.dirname(private.work))


def make_folder(path: str, *, mode: int = 0o777) -> None:
    """Make a folder and those above it, even when a neighbour removes an empty one of these meanwhile."""
    for attempt in (1, 2, 3):
        try:
            os.makedirs(path, mode=mode, exist_ok=True)
            break
        except FileNotFoundError:
            if attempt == 3:
                raise


def of_earlier_lives(job: Job, parent: str) -> List[str]:
    """Return what earlier lives of an element left in a private folder."""
    tags = tuple("{}.".format(job._replace(life=life).tag) for life in range(1, job.life))
    try:
        return [os.path.join(parent, name) for name in os.listdir(parent) if name.startswith(tags)]
    except OSError:
        return []


def remove_earlier_lives(job: Job, folder: str) -> None:
    """Remove what earlier lives of an element left beside the products of a folder."""
    parent = os.path.join(folder, ".penstock")
    for path in of_earlier_lives(job, parent):
        remove(path)
    remove_empty(parent)


def _missing_above(folder: str) -> List[str]:
    missing: List[str] = []
    while not os.path.isdir(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
        missing.append(folder)
    return missing
