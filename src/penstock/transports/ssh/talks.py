"""How a question and its answer pass through a command of `ssh`: as a whole, or as files that need not fit in memory."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import IO, Any

from penstock.runner.blocks import Wanted, pieces_of_file, receive_all, taken
from penstock.transports.protocol import Copy
from penstock.transports.ssh.wire import begin_of

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

    def talk(process: Process, question: bytes, _token: str) -> tuple[bytes, bytes]:
        feed(process, [question])
        for copy, offset in files:
            if not feed(process, pieces_of_file(str(copy.path), offset, copy.size)):
                break  # there is an answer already, or none any more
        return process.communicate()

    return talk


def fetching(files: Sequence[tuple[Copy, int]]) -> Talk:
    """Write the files of the answer, each from an offset on; what is returned is the answer without them."""

    def talk(process: Process, question: bytes, token: str) -> tuple[bytes, bytes]:
        assert process.stdout
        assert process.stderr
        feed(process, [question], last=True)
        line = find_answer(process.stdout, token)
        told: dict[str, Any] = json.loads(line) if line else {"sizes": []}
        with suppress(BrokenPipeError):
            write_files(files if told["sizes"] else [], process.stdout)
            told["sizes"] = []
        head = begin_of(token) + json.dumps(told).encode() + b"\n" if line else b""
        return head + process.stdout.read(), process.stderr.read()

    return talk


def feed(process: Process, pieces: Iterable[bytes], *, last: bool = False) -> bool:
    """Give bytes to a command; return False when it takes no more."""
    assert process.stdin
    try:
        for piece in pieces:
            process.stdin.write(piece)
        if last:
            process.stdin.close()
    except BrokenPipeError:
        return False
    return True


def find_answer(source: IO[bytes], token: str) -> bytes:
    """Read on to the answer, and return what it tells; nothing if there is none."""
    begin = begin_of(token).lstrip()
    return next((line[len(begin) :] for line in source if line.startswith(begin)), b"")


def write_files(files: Sequence[tuple[Copy, int]], source: IO[bytes]) -> None:
    """Write files as they come, each under its name when it is whole."""
    wanted = [Wanted(str(copy.path), copy.size, copy.digest, copy.mode, offset) for copy, offset in files]
    receive_all(wanted, lambda file: taken(source, file.size - file.offset))
