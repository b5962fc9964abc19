"""How PBS and its kin name jobs: `7.server`, an array `7[].server`, an element of it `7[3].server`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress

from penstock.runner.identity import strip_index
from penstock.schedulers.model import Known, Request

ELEMENT = re.compile(r"\d+\[(\d{1,18})\](?:\..+)?")


def array_range(request: Request) -> str:
    """Write the indices of a request and how many may run at once."""
    return f"1-{request.elements}" + (f"%{request.max_parallel}" if request.max_parallel else "")


def ids_of(jobs: Iterable[Known]) -> list[str]:
    """Return the ids of jobs as commands take them."""
    return [array_id(job.native) if job.elements > 1 else job.native for job in jobs if job.native]


def array_id(native: str, part: str = "") -> str:
    """Return the id of an array, or of a part of it.

    >>> array_id("7.server"), array_id("7.server", "3-5")
    ('7[].server', '7[3-5].server')
    """
    number, dot, server = native.partition(".")
    return f"{number}[{part}]{dot}{server}"


def by_id(jobs: Iterable[Known]) -> dict[str, Known]:
    """Return the jobs by native id and by its number alone, as one server may have a short and a long name."""
    natives = {job.native: job for job in jobs if job.native}
    return {native.partition(".")[0]: job for native, job in natives.items()} | natives


def find_known(name: str, known: Mapping[str, Known]) -> Known | None:
    """Return the job that an id belongs to, array part or not."""
    native = strip_index(name)
    return known.get(native) or known.get(native.partition(".")[0])


def element_of(name: str) -> int | None:
    """Return the index in an id, if it has one."""
    found = ELEMENT.fullmatch(name)
    return int(found[1]) if found else None


def signed(value: object) -> int | None:
    """Return a whole number as PBS prints it, perhaps a negative one, or None."""
    with suppress(ValueError):
        return int(str(value))
    return None
