"""Digests of input files that the record lacks, taken when the task that read them has ended well."""

import errno
import os
from functools import partial
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

from .children import Children
from .digests import digest_file
from .errands import Errand
from .forks import Tell
from .kinds import Odd
from .outcomes import Content, Result
from .products import INLINE_BYTES, INLINE_FILES
from .slots import Attempt
from .spec import Job

Then = Callable[[Result], None]


class Wanted(NamedTuple):
    """A file whose digest is wanted: its name in the record, and where it is here."""

    name: str
    path: str


def digest_inputs(
    job: Job, attempt: Attempt, children: Children, result: Result, then: Then, until: float
) -> None:
    """Go on with a result that has the digests of inputs; without, where that takes too long or fails.

    `until`: when the job's time is over. What is large is read in another process.
    """
    wanted = wanted_of(job, attempt)
    if not is_heavy(wanted):
        then(result._replace(contents=digest_all(wanted)))
        return

    def answered(found: Any) -> None:
        attempt.errand = None
        then(result._replace(contents=tuple(Content(*row) for row in found or ())))

    try:
        attempt.errand = Errand(children, partial(digest_apart, wanted), on_answer=answered)
        attempt.errand.until, attempt.errand.dispensable = until, True
    except OSError:  # no process can be started
        then(result)


def wanted_of(job: Job, attempt: Attempt) -> List[Wanted]:
    """Return the files of which a task's line wants the digests."""
    given: Sequence[Any] = attempt.work.task.get("undigested") or ()
    pairs = [(each, each) if isinstance(each, str) else each for each in given]
    return [Wanted(name, os.path.join(job.spec.root, place)) for name, place in pairs]


def is_heavy(wanted: Sequence[Wanted]) -> bool:
    """Return whether reading them takes so long that it should not be done in the runner's loop."""
    total = 0
    for one in wanted:
        try:
            total += os.stat(one.path).st_size
        except OSError:  # then there is nothing to read
            continue
    return total > INLINE_BYTES or len(wanted) > INLINE_FILES


def digest_apart(wanted: Sequence[Wanted], _tell: Tell) -> Any:
    """Do the same in another process."""
    return [tuple(content) for content in digest_all(wanted)]


def digest_all(wanted: Sequence[Wanted]) -> Tuple[Content, ...]:
    """Return what files hold; those that cannot be read, or change meanwhile, are left out."""
    return tuple(found for found in map(digest_one, wanted) if found)


def digest_one(wanted: Wanted) -> Optional[Content]:
    """Return what a file holds, with the size and time that it had before and after."""
    try:
        before = os.stat(wanted.path)
        size, digest = digest_followed(wanted.path)
        after = os.stat(wanted.path)
    except (OSError, Odd):
        return None
    seen = before.st_size, before.st_mtime_ns
    same = seen == (after.st_size, after.st_mtime_ns) and size == before.st_size
    return Content(wanted.name, size, before.st_mtime_ns, digest) if same else None


def digest_followed(path: str) -> Tuple[int, str]:
    """Return size and digest of a file, or of that to which a link leads."""
    try:
        return digest_file(path)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
    return digest_file(os.path.realpath(path))
