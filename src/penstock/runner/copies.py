"""Copying a task's inputs into its scratch folder, before it starts and while others run."""

import os
import shutil
import stat
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple

from .children import Children
from .errors import TaskFailure, Unfit, explain
from .forks import Tell
from .kinds import Odd, kind_of, open_file
from .products import CHUNK
from .slots import Attempt

Then = Callable[[Optional[Exception]], None]


def copy_first(attempt: Attempt, children: Children, then: Then) -> None:
    """Copy the inputs of an attempt whose stage asks for it; then say what keeps it from starting."""
    if attempt.copies and attempt.copies.places:
        ask = partial(copy_inputs, attempt.copies.places)
        attempt.ask(children, ask, partial(_copied, attempt, then))
    else:
        then(None)


def _copied(attempt: Attempt, then: Then, answer: Any) -> None:
    attempt.errand = None
    outcome, why = attempt.ending or answer or ("error", "the process that copied the inputs died")
    then(None if outcome == "ok" else TaskFailure.of(outcome, why))


def copy_inputs(places: Dict[str, str], _tell: Tell) -> Tuple[str, str]:
    """Copy inputs to their places; return an outcome, and why they cannot be had."""
    try:
        for source, place in places.items():
            copy_input(source, place)
    except TaskFailure as trouble:
        return trouble.outcome, str(trouble)
    return "ok", ""


def copy_input(source: str, place: str) -> None:
    """Copy one file or folder; a link to it is followed."""
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        _copy(os.path.realpath(source), place)
    except Odd as odd:
        raise Unfit("the input {} {}".format(source, odd)) from odd
    except PermissionError as error:
        raise Unfit("the input {} cannot be read: {}".format(source, error)) from error
    except OSError as error:
        raise explain(error, "the input {} cannot be copied to {}".format(source, place)) from error


def _copy(source: str, target: str) -> None:
    """Copy what is at a path; what is neither file, folder nor link is not opened."""
    status = os.lstat(source)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISDIR(status.st_mode):
        os.mkdir(target)
        for name in os.listdir(source):
            _copy(os.path.join(source, name), os.path.join(target, name))
    elif stat.S_ISREG(status.st_mode):
        _copy_file(source, target, status)
    else:
        raise Odd("cannot be copied: {} is {}".format(source, kind_of(status)))


def _copy_file(source: str, target: str, status: os.stat_result) -> None:
    with open(open_file(source), "rb") as read, open(target, "wb") as written:
        shutil.copyfileobj(read, written, CHUNK)
    os.chmod(target, stat.S_IMODE(status.st_mode) & 0o777)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
