"""One HDF5 file of many: all rows of all members, in their order, or nothing.

A group of a file that holds datasets is a table of events, a column each; all columns of it have one row an event. How
many there are may differ from member to member. The same members give the same bytes: no times, no sizes that chance
decides, attributes and names in order.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import Any

import h5py
import numpy as np

SLAB = 1 << 24  # bytes that are copied at once
FORMAT = ("v110", "v110")  # of the file: the bytes must not follow the library's newest


class Unmergeable(ValueError):
    """Members that cannot be one file: what differs, in which of them, with both values."""


@dataclass(frozen=True, slots=True)
class Column:
    """One dataset of a member; `shape` without its first axis."""

    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True)
class Member:
    """What a member holds: columns by path, attributes by the path of their group and name."""

    path: Path
    columns: Mapping[str, Column]
    attributes: Mapping[tuple[str, str], Any]


def read_list(path: Path) -> list[Path]:
    """Return the members that a list file names, a line each, as `{inputs_file.STAGE}` has them."""
    lines = path.read_text("utf-8", errors="surrogateescape").split("\n")
    return [Path(line) for line in lines if line]


def merge_events(
    members: Sequence[Path],
    product: Path,
    *,
    varying: Collection[str] = (),
    attributes: Mapping[str, Any] | None = None,
) -> dict[str, int]:
    """Write the rows of all members, in their order, to `product`; return how many rows each group has.

    `varying` names the attributes that are of one member alone, such as the number of a subrun: they are left out. All
    others, of the file and of its groups, must agree: they say with which configuration and software it was made.
    `attributes` are those of the whole file, such as how many members it has.

    Example: `merge_events(read_list(Path(sys.argv[1])), Path(sys.argv[2]), varying=["subrun_id"])`.

    Raises Unmergeable, which names the member, when there is none, when one cannot be read, when the columns of one of
    its groups differ in length, or when two members differ in their columns or attributes. Nothing has the name of
    `product` then but what had it before.
    """
    if not members:
        raise Unmergeable("there is no member to be merged")
    read = [look_at(path, frozenset(varying)) for path in members]
    for member in read[1:]:
        check_alike(read[0], member)
    kept = {**read[0].attributes, **{("/", name): value for name, value in (attributes or {}).items()}}
    draft = product.with_name(f".{product.name}.{os.getpid()}.draft")
    try:
        with h5py.File(draft, "w", libver=FORMAT) as made:
            for (group, name), value in sorted(kept.items(), key=itemgetter(0)):
                made.require_group(group).attrs[name] = value
            join(made, read)
        with open(draft, "rb") as file:
            os.fsync(file.fileno())
        draft.replace(product)
    finally:
        draft.unlink(missing_ok=True)
    return {group: sum(each[group] for each in map(lengths_of, read)) for group in lengths_of(read[0])}


@contextmanager
def opened(path: Path) -> Iterator[h5py.File]:
    """Open a member. Raises Unmergeable if it is not there, no HDF5 file, or cannot be read to its end."""
    try:
        with h5py.File(path, "r", locking="best-effort") as file:
            yield file
    except OSError as error:
        raise Unmergeable(f"{path} cannot be read: make or copy it anew ({error})") from error


def look_at(path: Path, varying: frozenset[str] = frozenset()) -> Member:
    """Return what a member holds. Raises Unmergeable if the columns of one of its groups differ in length."""
    columns, attributes = dict[str, Column](), dict[tuple[str, str], Any]()
    with opened(path) as file:
        for name, item in [("/", file), *found_in(file)]:
            if isinstance(item, h5py.Dataset):
                if not item.shape:
                    raise Unmergeable(
                        f"{path} has {name}, which is one value and has no rows: make it an attribute"
                    )
                columns[name] = Column(item.shape[0], item.shape[1:], item.dtype)
            else:
                kept = (each for each in item.attrs if each not in varying)
                attributes |= {(name, each): item.attrs[each] for each in kept}
    member = Member(path, dict(sorted(columns.items())), attributes)
    lengths_of(member)
    return member


def found_in(file: h5py.File) -> list[tuple[str, Any]]:
    """Return all groups and datasets of a file, by path."""
    found = list[tuple[str, Any]]()
    file.visititems(lambda name, item: found.append((f"/{name}", item)))
    return found


def lengths_of(member: Member) -> dict[str, int]:
    """Return how many rows each group has. Raises Unmergeable if two of its columns differ."""
    first = dict[str, str]()
    for name, column in member.columns.items():
        group = name.rpartition("/")[0] or "/"
        other = first.setdefault(group, name)
        if member.columns[other].rows != column.rows:
            raise Unmergeable(
                f"{member.path} has {member.columns[other].rows} rows in {other} and {column.rows} in {name}, which are of"
                " one group of events: make it anew"
            )
    return {group: member.columns[name].rows for group, name in first.items()}


def check_alike(first: Member, other: Member) -> None:
    """Raise Unmergeable, with both values, if two members differ in columns or attributes."""
    for name in sorted({*first.columns, *other.columns}):
        mine, theirs = first.columns.get(name), other.columns.get(name)
        said = [f"{c.dtype} of shape {c.shape}" if c else "none" for c in (mine, theirs)]
        if said[0] != said[1]:
            raise differing(first, other, name, said)
    for key in sorted({*first.attributes, *other.attributes}):
        both = [member.attributes.get(key) for member in (first, other)]
        if not np.array_equal(both[0], both[1]):
            raise differing(first, other, "/".join(filter(None, (key[0].rstrip("/"), key[1]))), both)


def differing(first: Member, other: Member, name: str, both: Sequence[Any]) -> Unmergeable:
    """Return the error that says how two members differ."""
    return Unmergeable(
        f"{other.path} has {name} = {both[1]} and {first.path} has {both[0]}: make both with one configuration and one"
        " version of the software"
    )


def join(made: h5py.File, members: Sequence[Member]) -> None:
    """Write the columns of all members, a slab at a time; each member is opened once."""
    wholes = {name: room_for(made, name, members) for name in members[0].columns}
    start = dict.fromkeys(wholes, 0)
    for member in members:
        with opened(member.path) as file:
            for name, whole in wholes.items():
                copy_rows(file[name], whole, start[name])
                start[name] += member.columns[name].rows


def room_for(made: h5py.File, name: str, members: Sequence[Member]) -> h5py.Dataset:
    """Make a column for the rows of all members."""
    column, rows = members[0].columns[name], sum(member.columns[name].rows for member in members)
    return made.create_dataset(name, (rows, *column.shape), column.dtype, track_times=False)


def copy_rows(part: h5py.Dataset, whole: h5py.Dataset, start: int) -> None:
    """Copy all rows of a column to where they begin in the whole."""
    rows, row_bytes = part.shape[0], part.dtype.itemsize * int(np.prod(part.shape[1:], dtype=np.int64))
    slab = max(1, SLAB // max(1, row_bytes))
    for begin in range(0, rows, slab):
        end = min(begin + slab, rows)
        whole[start + begin : start + end] = part[begin:end]
