"""Copying a task's inputs into its scratch folder, before it starts and while others run."""

import os
import stat
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple

from .children import Children
from .errors import TaskFailure, Unfit, explain
from .forks import Tell
from .kinds import Odd
from .slots import Attempt
from .trees import copy_tree

LIGHT_FILES, LIGHT_BYTES = 8, 1 << 20

Then = Callable[[Optional[Exception]], None]


def copy_first(attempt: Attempt, children: Children, then: Then) -> None:
    """Copy the inputs of an attempt whose stage asks for it; then say what keeps it from starting."""
    places = attempt.copies.places if attempt.copies else {}
    if is_light(places):
        _copied(attempt, then, copy_inputs(places, lambda _: None))
    else:
        attempt.ask(children, partial(copy_inputs, places), partial(_copied, attempt, then))


def is_light(places: Dict[str, str]) -> bool:
    """Whether to copy these takes no longer than to start a process that does it."""
    try:
        statuses = [os.stat(source) for source in places] if len(places) <= LIGHT_FILES else []
    except OSError:  # which is told when it is copied
        return True
    files = [status.st_size for status in statuses if stat.S_ISREG(status.st_mode)]
    return len(files) == len(places) and sum(files) <= LIGHT_BYTES


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
        copy_tree(os.path.realpath(source), place)
    except Odd as odd:
        raise Unfit("the input {} {}".format(source, odd)) from odd
    except PermissionError as error:
        raise Unfit("the input {} cannot be read: {}".format(source, error)) from error
    except OSError as error:
        raise explain(error, "the input {} cannot be copied to {}".format(source, place)) from error
