"""Products: planned under a temporary name, found, sized, hashed, held until they are published."""

import errno
import glob
import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any, Dict, Generator, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from .digests import EMPTY, digest_file, digest_folder, sync_tree
from .errors import Astray, Missing, Taken, Unfit, explain
from .files import remove
from .folders import Private, PrivateFolders
from .kinds import Odd, kind_of, refuse_stray, walk_files
from .trees import copy_tree

Mark = Optional[Tuple[int, int, int, int]]  # what lies at a path: device, inode, size and mtime in ns

STRANGE = "already exists and was not made by penstock: move it away, or use --overwrite"
INLINE_BYTES, INLINE_FILES = 8 << 20, 64  # above, looking at products is left to another process


class Planned(NamedTuple):
    """A product that a task must produce."""

    name: str
    shown: str
    final: str
    temporary: str
    held: str
    folder: bool
    optional: bool
    pattern: Optional[str]
    keep: str  # why what lies at its final name must not be replaced; empty: it may be,
    before: Mark  # and what that was when the task began
    way: str  # how its program is told where to write it


class Found(NamedTuple):
    """A product that was found, where it is now and where it waits for its publication."""

    plan: Planned
    path: str
    size: int


class Made(NamedTuple):
    """A product that is complete and waits under a private name."""

    name: str
    shown: str
    final: str
    held: str
    size: int
    digest: str
    mtime_ns: int = 0
    stamp: str = ""  # of a folder: the names, sizes and times of what is in it


def plan_products(
    declared: Dict[str, Any], root: str, folders: PrivateFolders, *, again: bool, python: bool
) -> List[Planned]:
    """Make the folders for a task's products; return where it must write them.

    `again`: an earlier life of this element began the task, so files there may be its own.
    """
    planned: List[Planned] = []
    for name, data in declared.items():
        final = os.path.join(root, data["path"].rstrip("/"))
        folder, base = os.path.split(final)
        private: Private = folders.open(folder)
        planned.append(
            Planned(
                name,
                data["path"],
                final,
                private.work + "/" + base,
                private.held + "/" + base,
                bool(data.get("folder")),
                bool(data.get("optional")),
                data.get("from"),
                "" if again or data.get("replace") else data.get("keep") or STRANGE,
                mark_of(final),
                way_to(name, python=python),
            )
        )
    return planned


@contextmanager
def explained() -> Generator[None, None, None]:
    """Turn a system error while products are taken into the failure that it means."""
    try:
        yield
    except PermissionError as error:
        raise Unfit("a product cannot be read: {}".format(error)) from error
    except OSError as error:
        raise explain(error, "the products cannot be taken") from error


def mark_of(path: str) -> Mark:
    """Return what identifies the file, folder or link at a path; None when there is none."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)


def way_to(name: str, *, python: bool) -> str:
    """Name the placeholder that tells a program where to write a product."""
    if python:
        return "task.product()" if name == "product" else "task.product({!r})".format(name)
    return "{product}" if name == "product" else "{product." + name + "}"


def refuse_taken(planned: Sequence[Planned]) -> None:
    """Raise Taken if a file exists at a product's path that is not this task's own."""
    for plan in planned:
        if plan.before and plan.keep:
            raise Taken("{} {}".format(plan.shown, plan.keep))


def refuse_written(plan: Planned) -> None:
    """Raise Taken if a file appeared at a product's path while its task ran."""
    if plan.keep and mark_of(plan.final):
        raise Taken(written_there(plan))


def written_there(plan: Planned) -> str:
    """Describe a file that appeared under a product's final name while its task ran."""
    return "{} was written under its final name: write to {}".format(plan.shown, plan.way)


def find_products(planned: Sequence[Planned], scratch: Optional[str]) -> List[Found]:
    """Return the products that a task wrote; raise Missing when one is not as declared."""
    found: List[Found] = []
    for plan in planned:
        if os.path.islink(os.path.dirname(plan.temporary)):  # what lies there is not the task's
            raise Missing("the folder of {{outdir}} was replaced by a link: {}".format(plan.shown))
        path = _by_pattern(plan, scratch) if plan.pattern else plan.temporary
        size = _checked_size(plan, path)
        if size is None and scratch and not plan.pattern:
            path = os.path.join(scratch, os.path.basename(plan.final))
            size = _checked_size(plan, path)
        if size is not None:
            found.append(Found(plan, path, size))
        elif mark_of(plan.final) not in (None, plan.before):
            raise Astray(written_there(plan))
        elif not plan.optional:
            where = ": there is no {}".format(plan.pattern) if plan.pattern else ""
            raise Missing("product {} was not created{}".format(plan.shown, where))
    return found


def secure_products(found: List[Found]) -> List[Made]:
    """Hash products and move them to where they wait."""
    made: List[Made] = []
    for product in found:
        plan = product.plan
        size, digest, stamp = _digest(product)
        move(product.path, plan.held)
        status = os.lstat(plan.held)
        if not plan.folder and status.st_size != size:
            raise Unfit(still_written(plan))
        made.append(
            Made(plan.name, plan.shown, plan.final, plan.held, size, digest, status.st_mtime_ns, stamp)
        )
    return made


def still_written(plan: Planned) -> str:
    """Describe a product that is still being changed."""
    return "product {} was changed by another process after its task ended".format(plan.shown)


def _digest(product: Found) -> Tuple[int, str, str]:
    try:
        if product.plan.folder:
            stamp = stamp_of(product.path)
            size, digest = digest_folder(product.path, refuse_stray)
            return size, digest, stamp
        size, digest = digest_file(product.path) if product.size else (0, EMPTY)
        return size, digest, ""
    except Odd as odd:
        raise Missing("product {} {}".format(product.plan.shown, odd)) from odd


def is_heavy(found: List[Found]) -> bool:
    """Return whether securing takes so long that it should not be done in the runner's loop."""
    total = 0
    for count, size in enumerate(chain.from_iterable(_sizes(product) for product in found), 1):
        total += size
        if count > INLINE_FILES or total > INLINE_BYTES:
            return True
    return False


def _sizes(product: Found) -> Iterator[int]:
    """Yield the size of a file, or of all that is in a folder; what cannot be read is told by who takes it."""
    if not product.plan.folder:
        yield product.size
        return
    folders = [product.path]
    with suppress(OSError):
        while folders:
            with os.scandir(folders.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    yield entry.stat(follow_symlinks=False).st_size


def _by_pattern(plan: Planned, scratch: Optional[str]) -> str:
    places = [os.path.dirname(plan.temporary)] + ([scratch] if scratch else [])
    matches: List[str] = []
    for place in places:
        matches.extend(glob.glob(os.path.join(glob.escape(place), plan.pattern or "")))
    if len(matches) > 1:
        raise Missing(
            "product {} may be any of {} files named {}".format(plan.shown, len(matches), plan.pattern)
        )
    return matches[0] if matches else plan.temporary


def _checked_size(plan: Planned, path: str) -> Optional[int]:
    """Return the size of what is there, None for nothing; raise Missing when it is of another kind."""
    try:
        status = os.lstat(path)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        status = _materialize(plan, path)
    else:
        _check_kind(plan, status, "")
    return status.st_size


def _check_kind(plan: Planned, status: os.stat_result, link: str) -> None:
    fits = stat.S_ISDIR if plan.folder else stat.S_ISREG
    if not fits(status.st_mode):
        wanted = "a folder" if plan.folder else "a file"
        raise Missing("product {} is {}{}, not {}".format(plan.shown, link, kind_of(status), wanted))


def _materialize(plan: Planned, path: str) -> os.stat_result:
    """Replace a link by its target: links do not survive the move."""
    target = os.path.realpath(path)
    try:
        status = os.stat(target)
    except OSError:
        raise Missing("product {} is a link to nothing: {}".format(plan.shown, os.readlink(path))) from None
    _check_kind(plan, status, "a link to {}, ".format(target))
    if plan.folder:
        _check_inside(plan, target)
    os.unlink(path)
    copy_tree(target, path)
    return os.lstat(path)


def _check_inside(plan: Planned, folder: str) -> None:
    try:
        for _ in walk_files(folder):
            continue
    except Odd as odd:
        raise Missing("product {} {}".format(plan.shown, odd)) from odd


def stamp_of(folder: str) -> str:
    """Return what is another when a file in a folder is written, added or removed."""
    lines: List[bytes] = []
    for entry in walk_files(folder):
        status = entry.stat(follow_symlinks=False)
        seen = "{} {} ".format(status.st_size, status.st_mtime_ns)
        lines.append(seen.encode("ascii") + os.fsencode(entry.path[len(folder) :]))
    return hashlib.sha256(b"\0".join(sorted(lines))).hexdigest()


def move(source: str, target: str) -> None:
    """Rename, or copy and verify when the target is on another file system."""
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno == errno.EXDEV:
            _copy_over(source, target)
        elif os.path.lexists(target):
            remove(target)
            os.rename(source, target)
        else:
            raise


def _copy_over(source: str, target: str) -> None:
    copy_tree(source, target)
    sync_tree(target)
    digest = digest_folder if os.path.isdir(source) else digest_file
    if digest(source) != digest(target):
        raise OSError(errno.EIO, "the copy {} differs from {}".format(target, source))
    remove(source)


def publish(made: Made, plan: Planned) -> os.stat_result:
    """Rename a finished product to its name, and return what is there then.

    A folder takes the place of an old one, which stays if it cannot. Raises Taken rather than replace what is not
    this task's own, Unfit when it was changed after it was hashed.
    """
    refuse_written(plan)
    aside = None
    if plan.folder and os.path.lexists(made.final):
        aside = os.path.join(os.path.dirname(made.held), ".old")
        remove(aside)
        os.rename(made.final, aside)
    try:
        os.rename(made.held, made.final)
    except OSError:
        if aside:
            os.rename(aside, made.final)
        raise
    if aside:
        remove(aside)
    status = os.lstat(made.final)
    if _has_changed(made, status):
        take_back(made, status)
        raise Unfit(still_written(plan))
    return status


def _has_changed(made: Made, status: os.stat_result) -> bool:
    """Say whether a product is no longer what was hashed; a time alone proves nothing on network file systems."""
    try:
        if made.stamp:
            same = stamp_of(made.final) == made.stamp
            return not same and digest_folder(made.final) != (made.size, made.digest)
        if (status.st_size, status.st_mtime_ns) == (made.size, made.mtime_ns):
            return False
        return digest_file(made.final) != (made.size, made.digest)
    except (OSError, Odd):
        return True


def take_back(made: Made, published: os.stat_result) -> None:
    """Remove a product that was published, unless something else took its place."""
    mark = mark_of(made.final)
    if mark and mark[:2] == (published.st_dev, published.st_ino):
        remove(made.final)
