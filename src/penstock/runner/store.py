"""A store of files by their digests, which campaigns at one place share, and who of them refers to what.

Below a work folder `store/ab/<sha256>` are the files, and `roots/<root>` has the digests that one campaign refers to. A
reference is written before anybody relies on a file, and a file is removed before the last reference to it, so that a
kill leaves a reference too many, never one too few.
"""

import errno
import fcntl
import json
import os
import stat
from contextlib import contextmanager
from typing import Generator, Iterable, List, Mapping, NamedTuple, Set

from .digests import Part
from .files import lock, make_folders, remove_empty, write_file

STORE, ROOTS, LOCK = "store", "roots", ".lock"
HEX = frozenset("0123456789abcdef")
TRIES = 10


class Branch(NamedTuple):
    """One file of a folder in the store: where it goes, what it holds, its mode; or a link, and where it leads."""

    name: str
    digest: str
    mode: int
    link: str


def blob_of(digest: str) -> str:
    """Return the name of a file of the store, from the work folder on.

    >>> blob_of("ab" * 32)
    'store/ab/abababababababababababababababababababababababababababababababab'
    """
    return blob_in(STORE, digest)


def blob_in(store: str, digest: str) -> str:
    """Return where a file is in a store."""
    return os.path.join(store, digest[:2], digest)


def is_digest(text: str) -> bool:
    """Whether a text is a digest, and no path.

    >>> is_digest("ab" * 32), is_digest("../../etc")
    (True, False)
    """
    return len(text) == 64 and HEX.issuperset(text)


def is_root(name: str) -> bool:
    """Whether a campaign may go by this name.

    >>> [is_root(name) for name in ("winter-1f", "", ".lock", "a/b")]
    [True, False, False, False]
    """
    return (
        0 < len(name) <= 200 and name[0] != "." and "/" not in name and "\n" not in name and "\0" not in name
    )


# who refers to what


def hold(workdir: str, root: str, blobs: Mapping[str, int]) -> List[str]:
    """Let a campaign refer to files; return those that are not in the store with their size."""
    with locked(os.path.join(workdir, ROOTS)) as roots:
        known = digests_in(os.path.join(roots, root))
        if not known.issuperset(blobs):
            write_root(os.path.join(roots, root), known.union(blobs))
        return [digest for digest, size in blobs.items() if not is_there(workdir, digest, size)]


def is_there(workdir: str, digest: str, size: int) -> bool:
    """Whether a file is in the store."""
    try:
        found = os.stat(os.path.join(workdir, blob_of(digest)))
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


def release(workdir: str, root: str, digests: Iterable[str]) -> None:
    """Let a campaign refer to files no longer; those that nobody else refers to are removed."""
    if not os.path.isdir(workdir):
        return
    with locked(os.path.join(workdir, ROOTS)) as roots:
        released = set(digests)
        others: Set[str] = set()
        for other in roots_in(roots):
            if other != root:
                others |= digests_in(os.path.join(roots, other))
        remove_blobs(os.path.join(workdir, STORE), released - others)
        write_root(os.path.join(roots, root), digests_in(os.path.join(roots, root)) - released)
        leave(workdir, root)


def roots_in(folder: str) -> List[str]:
    """Return the campaigns that refer to something."""
    return [name for name in os.listdir(folder) if not name.startswith(".")]


def digests_in(root: str) -> Set[str]:
    """Return what a campaign refers to."""
    try:
        with open(root, encoding="ascii") as file:
            return set(file.read().split())
    except FileNotFoundError:
        return set()


def write_root(root: str, digests: Set[str]) -> None:
    """Write what a campaign refers to, durably; if that is nothing there is no file."""
    if digests:
        write_file(root, ["".join(digest + "\n" for digest in sorted(digests)).encode("ascii")])
    else:
        unlink(root)


def remove_blobs(store: str, digests: Set[str]) -> None:
    """Remove files of the store, and what was received of them."""
    for folder in {os.path.dirname(blob_in(store, digest)) for digest in digests}:
        if os.path.isdir(folder):
            for name in os.listdir(folder):
                if name.lstrip(".").partition(".")[0] in digests:
                    unlink(os.path.join(folder, name))
            remove_empty(folder)


def leave(workdir: str, root: str) -> None:
    """Remove what kills left of writing a root, and of the store what is empty."""
    roots = os.path.join(workdir, ROOTS)
    begin = ".{}.".format(root)
    for name in os.listdir(roots):
        if name.startswith(begin) and name[len(begin) :].isdigit():
            unlink(os.path.join(roots, name))
    if os.listdir(roots) == [LOCK]:
        unlink(os.path.join(roots, LOCK))
        remove_empty(roots)
    remove_empty(os.path.join(workdir, STORE))


def unlink(path: str) -> None:
    """Remove a file unless it is gone."""
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return


@contextmanager
def locked(roots: str) -> Generator[str, None, None]:
    """Have the folder of roots, which is made, for oneself; where the file system has no locks, go on without."""
    descriptor = open_lock(roots)
    try:
        yield roots
    finally:
        os.close(descriptor)


def open_lock(roots: str) -> int:
    """Open and lock the file for that, which others remove when they are the last."""
    path = os.path.join(roots, LOCK)
    for _ in range(TRIES):
        make_folders(roots)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except FileNotFoundError:
            continue
        lock(descriptor, fcntl.LOCK_EX)
        if os.path.exists(path) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return descriptor
        os.close(descriptor)
    raise OSError(errno.EAGAIN, "others remove it again and again", path)


# folders in the store


def tree_manifest(parts: Iterable[Part]) -> bytes:
    """Return the file by which a folder is in the store: its files are there by their digests."""
    return json.dumps([(part.name, part.digest, part.mode, part.link) for part in parts]).encode("ascii")


def read_manifest(data: bytes) -> List[Branch]:
    """Read such a file; raises ValueError when it is none, or leads out of the folder."""
    try:
        branches = [Branch(*row) for row in json.loads(data.decode("ascii"))]
        if all(is_branch(branch) for branch in branches):
            return branches
    except (TypeError, AttributeError) as error:
        raise ValueError("it is no manifest") from error
    raise ValueError("a name in it leads out of the folder")


def is_branch(branch: Branch) -> bool:
    """Whether a file or link of a manifest is within its folder, and its bytes in the store."""
    steps = branch.name.split("/")
    return not {"", ".", ".."}.intersection(steps) and "\0" not in branch.name and is_digest(branch.digest)
