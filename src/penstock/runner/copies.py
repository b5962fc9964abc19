"""Copying a task's inputs into a folder for it alone, before it starts and while others run."""

import hashlib
import os
import stat
from functools import partial
from typing import Any, Callable, Dict, Optional, Tuple

from .children import Children
from .errors import Gone, TaskFailure, Unfit, explain
from .files import CHUNK, remove
from .forks import Tell
from .inputs import Origin
from .kinds import Odd, open_file
from .slots import Attempt
from .store import blob_in, read_manifest
from .trees import copy_tree

LIGHT_FILES, LIGHT_BYTES = 8, 1 << 20

Places = Dict[Origin, str]
Then = Callable[[Optional[Exception]], None]


def copy_first(attempt: Attempt, children: Children, then: Then) -> None:
    """Copy the inputs of an attempt whose stage asks for it; then say what keeps it from starting."""
    places = attempt.copies.places if attempt.copies else {}
    if is_light(places):
        _copied(attempt, then, copy_inputs(places, lambda _: None))
    else:
        attempt.ask(children, partial(copy_inputs, places), partial(_copied, attempt, then))


def is_light(places: Places) -> bool:
    """Whether to copy these takes no longer than to start a process that does it."""
    if len(places) > LIGHT_FILES or any(origin.is_tree for origin in places):
        return False
    try:
        statuses = [os.stat(source_of(origin)) for origin in places]
    except OSError:  # which is told when it is copied
        return True
    files = [status.st_size for status in statuses if stat.S_ISREG(status.st_mode)]
    return len(files) == len(places) and sum(files) <= LIGHT_BYTES


def source_of(origin: Origin) -> str:
    """Return the path of what is copied."""
    return blob_in(origin.store, origin.digest) if origin.digest else origin.path


def _copied(attempt: Attempt, then: Then, answer: Any) -> None:
    attempt.errand = None
    outcome, why = attempt.ending or answer or ("error", "the process that copied the inputs died")
    then(None if outcome == "ok" else TaskFailure.of(outcome, why))


def copy_inputs(places: Places, _tell: Tell) -> Tuple[str, str]:
    """Copy inputs to their places; return an outcome, and why they cannot be had."""
    try:
        for origin, place in places.items():
            copy_input(origin, place)
    except TaskFailure as trouble:
        return trouble.outcome, str(trouble)
    return "ok", ""


def copy_input(origin: Origin, place: str) -> None:
    """Copy one file or folder; a link to it is followed."""
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        if origin.is_tree:
            copy_stored_tree(origin, place)
        elif origin.digest:
            copy_blob(origin, origin.digest, place)
        else:
            refuse_gone(origin, origin.path)
            copy_tree(os.path.realpath(origin.path), place)
    except Odd as odd:
        raise Unfit("the input {} {}".format(origin.name, odd)) from odd
    except PermissionError as error:
        raise Unfit("the input {} cannot be read: {}".format(origin.name, error)) from error
    except OSError as error:
        raise explain(error, "the input {} cannot be copied to {}".format(origin.name, place)) from error


def refuse_gone(origin: Origin, path: str) -> None:
    """Raise Gone for what is not there any more, at a site where inputs come from elsewhere."""
    if origin.store and not os.path.lexists(path):
        raise Gone("the input {} is no longer there at this site".format(origin.name))


def copy_stored_tree(origin: Origin, place: str) -> None:
    """Copy a folder out of the store, its links last, so that nothing is written through them."""
    manifest = place + ".manifest"
    copy_blob(origin, origin.digest, manifest)
    with open(manifest, "rb") as file:
        try:
            branches = read_manifest(file.read())
        except ValueError as error:
            raise Unfit("the input {} cannot be copied: {}".format(origin.name, error)) from error
    os.unlink(manifest)
    os.mkdir(place)
    for branch in branches:
        os.makedirs(os.path.dirname(os.path.join(place, branch.name)), exist_ok=True)
        if not branch.link:
            copy_blob(origin, branch.digest, os.path.join(place, branch.name))
            allow(os.path.join(place, branch.name), branch.mode)
    for branch in branches:
        if branch.link:
            os.symlink(branch.link, os.path.join(place, branch.name))


def copy_blob(origin: Origin, digest: str, place: str) -> None:
    """Copy a file out of the store; one with other bytes than it was sent with is removed, so that it is sent again."""
    path = blob_in(origin.store, digest)
    refuse_gone(origin, path)
    seen = hashlib.sha256()
    with open(open_file(path), "rb") as source, open(place, "xb") as copy:
        for piece in iter(lambda: source.read(CHUNK), b""):
            seen.update(piece)
            copy.write(piece)
        mode = os.fstat(source.fileno()).st_mode
    if seen.hexdigest() != digest:
        remove(path)
        raise Gone("the input {} was damaged at this site".format(origin.name))
    allow(place, mode)


def allow(place: str, mode: int) -> None:
    """Let a program change its copy, and run what can be run."""
    os.chmod(place, 0o600 | (mode & 0o111))
