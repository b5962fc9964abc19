"""What the adapters share: amounts as schedulers write them, and their answers read with care."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from shlex import quote
from typing import NamedTuple

from penstock.errors import QueryFailed, SiteError, SiteFull, SubmitRejected
from penstock.schedulers.model import Known
from penstock.transports.reply import Reply

MOST_ELEMENTS = 10_000_000
LONGEST = 2000  # characters of a word that a person may want to read
TOKEN = 11  # characters of a job's token, which other campaigns of the same user do not have
CUT_AT = 10  # characters, at which the narrowest tables cut a name
RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")


def expand_ranges(text: str) -> list[int]:
    """Return the indices of a list of ranges; a throttle behind `%` is dropped.

    Raises ValueError for anything else, also for a list that the scheduler cut short with dots.

    >>> expand_ranges("3-5,9,20-30:5%3")
    [3, 4, 5, 9, 20, 25, 30]
    """
    indices: list[int] = []
    for part in text.partition("%")[0].split(","):
        found = RANGE.fullmatch(part.strip())
        if not found:
            raise ValueError(f"{text!r} is not a list of ranges")
        first, step = int(found[1]), int(found[3] or 1)
        last = int(found[2] or first)
        if not step or len(indices) + (last - first) // step >= MOST_ELEMENTS:
            raise ValueError(f"{text!r} is not a list of ranges that can be real")
        indices += range(first, last + 1, step)
    return indices


def write_ranges(indices: Iterable[int]) -> str:
    """Write indices as ranges.

    >>> write_ranges([7, 1, 2, 3])
    '1-3,7'
    """
    spans: list[list[int]] = []
    for index in sorted(set(indices)):
        if spans and spans[-1][1] == index - 1:
            spans[-1][1] = index
        else:
            spans.append([index, index])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def hours(seconds: float) -> str:
    """Write a duration as HH:MM:SS, rounded up to a whole second.

    >>> hours(90_061.5)
    '25:01:02'
    """
    minutes_, rest = divmod(max(1, math.ceil(seconds)), 60)
    return f"{minutes_ // 60:02d}:{minutes_ % 60:02d}:{rest:02d}"


def minutes(seconds: float) -> int:
    """Return a duration in minutes, rounded up, at least one."""
    return max(1, math.ceil(seconds / 60))


def mebibytes(size: int) -> int:
    """Return a size in MiB (what schedulers call MB), rounded up, at least one."""
    return max(1, -(-size // 2**20))


def number(text: str) -> int | None:
    """Read a whole number of up to 18 digits; None for all else."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def raw_lines(prefix: str, lines: Iterable[str]) -> list[str]:
    """Return the lines that a site adds to a job script, each with the scheduler's prefix if it has none.

    >>> raw_lines("#PBS", ["-W umask=027\\n-m n"])
    ['#PBS -W umask=027', '#PBS -m n']
    """
    single = [line.strip() for text in lines for line in text.splitlines()]
    return [line if line.startswith("#") else f"{prefix} {line}" for line in single if line]


def shown(argv: Sequence[str]) -> str:
    """Return a command for a person, without the text of programs in it.

    >>> shown(["python3", "-c", "import os\\nos.sync()", "a b"])
    "python3 -c … 'a b'"
    """
    return " ".join("…" if "\n" in word or len(word) > LONGEST else quote(word) for word in argv)


def last_match(text: str, pattern: str) -> re.Match[str] | None:
    """Return the match of the last line that is nothing but `pattern`."""
    found = [re.fullmatch(pattern, line.strip()) for line in text.splitlines()]
    return next((match for match in reversed(found) if match), None)


def answer(reply: Reply, codes: Sequence[int] = (0,)) -> str:
    """Return what a command printed; raises QueryFailed unless it ended with one of `codes`."""
    if reply.code is None or reply.code not in codes:
        raise QueryFailed(f"the scheduler did not answer ({reply.words})")
    return reply.out


class Refusal(NamedTuple):
    """A refusal: its text (a regex), what it means, and what a person should do."""

    pattern: str
    error: type[SiteError]
    hint: str


def refusal(reply: Reply, table: Iterable[Refusal]) -> SiteError:
    """Return the error for a job that was not accepted, by the first row that fits.

    A reply without an exit code, with exit code 0 or with unknown words is QueryFailed: the job may have been accepted.
    """
    said = reply.err.strip() or reply.out
    rows = (*NOT_THERE, *table) if reply.code == NO_COMMAND else table
    for row in rows if reply.code else ():
        if found := re.search(row.pattern, said, re.IGNORECASE):
            words = one_line(said[said.rfind("\n", 0, found.start()) + 1 :])
            return row.error(f"{VERBS[row.error]} ({words}): {row.hint}")
    return QueryFailed(f"{VERBS[QueryFailed]} ({reply.words}): its name is looked up in the queue")


def one_line(text: str) -> str:
    """Return some lines as one; what all of them begin with is said once.

    >>> one_line("sbatch: error: no such partition\\nsbatch: error: Batch job submission failed\\n")
    'sbatch: error: no such partition; Batch job submission failed'
    """
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    head = re.match(r"(?:[\w./-]+: )+", lines[0]) if lines else None
    start = head[0] if head else None
    rest = [line.removeprefix(start) if start else line for line in lines[1:]]
    return "; ".join(dict.fromkeys(line.rstrip(".") for line in [*lines[:1], *rest]))[:300]


NO_COMMAND = 127  # of a shell
NOT_THERE = (
    Refusal("not found|no such file", SubmitRejected, "correct the site's `commands`, or its `scheduler`"),
)
VERBS: dict[type[SiteError], str] = {
    SubmitRejected: "the scheduler refused the job",
    SiteFull: "the scheduler accepts no more jobs for now",
    QueryFailed: "it is unknown whether the scheduler accepted the job",
}


def token_of(job: Known, name: str) -> str:
    """Return a job's token, or the name of another that has its id by now; a name may be cut, or have an index.

    >>> job = Known("lab-pabcdefghij", "7", 1)
    >>> {token_of(job, name) for name in ("lab-pabcdefghij", "pabcdefghij-7", "lab-pabcde", "")}
    {'lab-pabcdefghij'}
    >>> token_of(job, "theirs")
    'theirs'
    """
    cut = len(name) >= CUT_AT and job.token.startswith(name)
    return job.token if not name or cut or job.token[-TOKEN:] in name else name
