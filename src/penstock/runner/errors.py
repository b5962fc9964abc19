"""What can be wrong, by who must act.

Unfit    the task as it stands cannot be tried: its attempt ends as an error
Taken    what lies where a product goes was made by somebody else
Missing  a product is not there, or is not what was declared (Astray: it was written under its final name)
Unwell   the place cannot work (full disk, read-only folder): the element gives its tasks back
Damaged  what the job was given is not as it was written: the element leaves, and its tasks go back
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
    """What keeps a task from its end.

    `outcome` is what its attempt is called then, `verdict` whether another try can help.
    """

    outcome = "error"
    verdict = ""


class Unfit(TaskFailure):
    """The task cannot be tried as it stands."""


class Taken(TaskFailure):
    """What lies where a product goes was made by somebody else."""

    outcome = "unstarted"
    verdict = "permanent"


class Missing(TaskFailure):
    """A product is not there, or is not what was declared."""

    outcome = "missing_product"


class Astray(Missing):
    """A product was written under its final name, where it cannot be published."""

    verdict = "permanent"


class Unwell(TaskFailure):
    """The place cannot work."""

    outcome = "node_failure"


class Damaged(Exception):
    """What the job was given is not as it was written."""


def explain(error: OSError, doing: str) -> Exception:
    """Turn an error of the system into the trouble it means, with a sentence.

    >>> explain(OSError(errno.ENOSPC, ""), "cannot write /data/x")
    Unwell('cannot write /data/x: no space is left')
    """
    if error.errno in UNWELL:
        return Unwell("{}: {}".format(doing, UNWELL[error.errno]))
    return Unfit("{}: {}".format(doing, say_error(error)))


def say_error(error: OSError) -> str:
    """Say what the system said, and what it means where that has another name."""
    return LIMITS.get(error.errno or 0) or error.strerror or str(error)
