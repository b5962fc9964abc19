"""What can go wrong, by who has to act.

Unfit    the task as it is cannot be tried: its attempt ends as an error
Gone     an input was taken from a site to which it was sent: its attempt did not start, and it is sent again
Taken    the file at a product's path was not made by penstock
Missing  a product does not exist, or is not what was declared (Astray: it was written under its final name)
Unwell   the site cannot work (full disk, read-only folder): the element returns its tasks
Damaged  the job's files are not as they were written: the element exits, and its tasks are run again
"""

import errno

UNWELL = {
    errno.ENOSPC: "no space is left",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "the operation is not permitted",
    errno.EIO: "the disk answers with I/O errors",
    errno.ESTALE: "the network file system lost the folder",
}


# What the system says of limits that somebody set, and how they are called.
LIMITS = {
    errno.EFBIG: "a file grew over the limit on file sizes (ulimit -f)",
    errno.EMFILE: "more files are open than the limit on open files allows (ulimit -n)",
}
CROWDED = {
    errno.EAGAIN: "the limit on processes is reached (ulimit -u)",
    errno.ENOMEM: "no memory is left for it",
}


class TaskFailure(Exception):
    """What keeps a task from succeeding.

    `outcome` is its attempt's outcome, `verdict` whether another try can help.
    """

    outcome = "error"
    verdict = ""

    @classmethod
    def of(cls, outcome: str, why: str) -> "TaskFailure":
        """Return the failure of an outcome that another process told."""
        failure = cls(why)
        failure.outcome = outcome
        return failure


class Unfit(TaskFailure):
    """The task cannot be tried as it is."""


class Gone(TaskFailure):
    """An input that was there is there no longer."""

    outcome = "unstarted"


class Taken(TaskFailure):
    """The file at a product's path was not made by penstock."""

    outcome = "unstarted"
    verdict = "permanent"


class Missing(TaskFailure):
    """A product does not exist, or is not what was declared."""

    outcome = "missing_product"


class Astray(Missing):
    """A product was written under its final name, where it cannot be published."""

    verdict = "permanent"


class Unwell(TaskFailure):
    """The site cannot work."""

    outcome = "node_failure"


class Damaged(Exception):
    """The job's files are not as they were written."""


def explain(error: OSError, doing: str) -> Exception:
    """Turn a system error into the failure it means, with a sentence.

    >>> explain(OSError(errno.ENOSPC, ""), "cannot write /data/x")
    Unwell('cannot write /data/x: no space is left')
    """
    if error.errno in UNWELL:
        return Unwell("{}: {}".format(doing, UNWELL[error.errno]))
    return Unfit("{}: {}".format(doing, say_error(error)))


def say_error(error: OSError) -> str:
    """Return the system's message, and what it means where that has another name."""
    return LIMITS.get(error.errno or 0) or error.strerror or str(error)
