"""What goes to a receiver and comes back from it, and the command that starts it. Pure."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

from penstock.errors import DefinitionError, LedgerError, SiteError
from penstock.runner.build import read_boot

START = 'exec {python} -I -S -c "import sys;exec(sys.stdin.buffer.read({size}))"'
SHELL = "exec /bin/sh -c '{}'"

#: what not every shell leaves alone between single quotes: csh looks for events, fish for escapes
TOUCHED = "'!\\\n"


class Answer(NamedTuple):
    """What a receiver told, and the bytes that came with it."""

    told: Mapping[str, Any]
    blobs: Sequence[bytes]


def command_of(python: str, size: int) -> str:
    """Return the command for a login shell, whichever that is: a Python runs the first `size` bytes of its input.

    >>> command_of("python3", 9)
    "exec /bin/sh -c 'exec python3 -I -S -c \\"import sys;exec(sys.stdin.buffer.read(9))\\"'"
    """
    if python != python.strip(TOUCHED) or any(mark in python for mark in TOUCHED):
        raise DefinitionError(
            f"the `python` {python!r} of a far site has marks that not every shell passes on"
        )
    return SHELL.format(START.format(python=quote(python), size=size))


def quote(word: str) -> str:
    """Quote a word for a shell without the marks that quote the whole command.

    >>> quote("python3"), quote("~/my env/python")
    ('python3', '"$HOME/my env/python"')
    """
    if word.replace("/", "").replace(".", "").replace("_", "").replace("-", "").isalnum():
        return word
    home, rest = ("$HOME", word[1:]) if word.startswith("~/") else ("", word)
    kept = "".join(f"\\{mark}" if mark in '"$`' else mark for mark in rest)
    return f'"{home}{kept}"'


def question(
    digest: str, token: str, asked: Mapping[str, Any], blobs: Sequence[bytes], receiver: bytes
) -> tuple[int, bytes]:
    """Return how long its beginning is that a Python runs, and all that goes to its standard input."""
    boot = read_boot(digest, token, str(len(receiver)))
    return len(boot), b"".join((boot, receiver, json.dumps(asked).encode("ascii"), b"\n", *blobs))


def begin_of(token: str) -> bytes:
    """Return what an answer begins with; the next line break ends what it tells."""
    return f"\n<<{token} ".encode()


def ack_of(token: str) -> bytes:
    """Return what a line begins with that tells before an answer how many bytes are written there."""
    return f"{token} ".encode()


def end_of(token: str) -> bytes:
    """Return what an answer ends with."""
    return f"\n{token}>>\n".encode()


def parse_answer(out: bytes, token: str) -> Answer | None:
    """Find the answer in what came back; None: there is none, or it was cut."""
    end = end_of(token)
    _, found, rest = out.partition(begin_of(token))
    line, broken, body = rest.partition(b"\n")
    if not found or not broken:
        return None
    told: dict[str, Any] = json.loads(line)
    bounds = [*accumulate(told["sizes"], initial=0)]
    if body[bounds[-1] : bounds[-1] + len(end)] != end:
        return None
    return Answer(told, [body[start:stop] for start, stop in pairwise(bounds)])


def refuse_error(answer: Answer, host: str) -> Answer:
    """Return an answer, or raise the error that it tells of."""
    told = answer.told
    if "refused" in told:
        raise LedgerError(f"{host}: {told['refused']}")
    if "old" in told:
        raise SiteError(
            f"the Python of {host} is {told['old']}, and 3.6 is needed: name a newer one as the site's `python`"
        )
    if "error" in told:
        number = getattr(errno, told["error"], errno.EIO)
        raise OSError(number, told["words"] or os.strerror(number), f"{host}:{told['path']}")
    return answer
