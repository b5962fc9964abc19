"""How a question and its answer pass through a command of `ssh`: as a whole, or as files that need not fit in memory."""

from __future__ import annotations

import fcntl
import json
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import IO, Any

from penstock.runner.blocks import Wanted, mode_of, pieces_of_file, receive_all, taken
from penstock.runner.pace import Receipt, paced
from penstock.transports.protocol import Copy
from penstock.transports.ssh.wire import ack_of, begin_of

WIDE = 1 << 20  # bytes that a pipe may take of any user, in place of 64 KiB

Process = subprocess.Popen[bytes]

Talk = Callable[[Process, bytes, str], tuple[bytes, bytes]]
"""Gives a command its question, and returns its output and its errors; the text marks the answer.

It is called again where no session was opened.
"""


def talk_whole(within_s: float | None) -> Talk:
    """Give the question, and await the answer so long, or as long as the connection holds."""
    return lambda process, question, _token: process.communicate(question, within_s)


def sending(files: Sequence[tuple[Copy, int]]) -> Talk:
    """Give files, each from an offset on, behind the question."""
    size = sum(copy.size - offset for copy, offset in files)

    def talk(process: Process, question: bytes, token: str) -> tuple[bytes, bytes]:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        said = list[bytes]()
        acks = acks_in(process.stdout, token, said)
        pieces = (p for copy, offset in files for p in pieces_of_file(str(copy.path), offset, copy.size))
        feed(process, [question])
        feed(process, paced(pieces, size, process.stdin, acks), last=True)
        return b"".join(said) + process.stdout.read(), process.stderr.read()

    return talk


def fetching(files: Sequence[tuple[Copy, int]]) -> Talk:
    """Write the files of the answer, each from an offset on; what is returned is the answer without them."""

    def talk(process: Process, question: bytes, token: str) -> tuple[bytes, bytes]:
        assert process.stdout
        assert process.stderr
        widen(process.stdout)
        feed(process, [question])
        line = find_answer(process.stdout, token)
        told: dict[str, Any] = json.loads(line) if line else {"sizes": []}
        wanted = [
            Wanted(str(copy.path), copy.size, copy.digest, mode_of(copy.mode, executable), offset)
            for (copy, offset), executable in zip(files, told.get("executable", ()), strict=False)
        ]
        receipt = Receipt(lambda written: feed(process, [b"%d\n" % written]))
        with suppress(BrokenPipeError):
            take = partial(taken, process.stdout)
            receive_all(wanted, lambda file: receipt.of(take(file.size - file.offset)))
            told["sizes"] = []
        head = begin_of(token) + json.dumps(told).encode() + b"\n" if line else b""
        return head + process.stdout.read(), process.stderr.read()

    return talk


def feed(process: Process, pieces: Iterable[bytes], *, last: bool = False) -> None:
    """Give bytes to a command, as long as it takes them."""
    assert process.stdin
    with suppress(BrokenPipeError):
        for piece in pieces:
            process.stdin.write(piece)
        process.stdin.flush()
    if last:
        with suppress(BrokenPipeError):
            process.stdin.close()


def widen(pipe: IO[bytes]) -> None:
    """Let more wait in a pipe, so that who writes and who reads wait less for each other."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # all pipes of a user have a limit, too
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, WIDE)


def acks_in(source: Iterable[bytes], token: str, said: list[bytes]) -> Iterator[int]:
    """Yield how many bytes are written there, until there is an answer; all else goes to `said`."""
    mark, begin = ack_of(token), begin_of(token).lstrip()
    for line in source:
        if line.startswith(mark):
            yield int(line[len(mark) :])
            continue
        said.append(line)
        if line.startswith(begin):
            return


def find_answer(source: Iterable[bytes], token: str) -> bytes:
    """Read on to the answer, and return what it tells; nothing if there is none."""
    begin = begin_of(token).lstrip()
    return next((line[len(begin) :] for line in source if line.startswith(begin)), b"")
