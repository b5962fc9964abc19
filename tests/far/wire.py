"""What went over the wire: a far Python that keeps both sides of each talk with a receiver, and what these say.

site = f'python = "{listen_in(host.path("~/wire"), "~/wire")}"'     # in place of `python3`
...
sent_home(host.path("~/wire"))                                      # by file, what was sent of it
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import IO, Any

PYTHON = """\
#!/bin/sh
case "$*" in
*stdin.buffer.read*) exec {python} {this} {there}/$$ {python} "$@" ;;
*) exec {python} "$@" ;;
esac
"""
FETCH = re.compile(rb'\{"files": [^\n]*"op": "fetch"[^\n]*\}(?=\n)')
BEGIN = re.compile(rb"\n<<([0-9a-f]{16}) [^\n]*\n")


def listen_in(folder: Path, there: Path, python: str, this: str = __file__) -> Path:
    """Put a Python that listens into a folder, which is `there` for it; `this` is this file there."""
    folder.mkdir(parents=True)
    wrapper = folder / "python3"
    wrapper.write_text(PYTHON.format(python=python, this=this, there=there), "utf-8")
    wrapper.chmod(0o755)
    return there / wrapper.name


def sent_home(folder: Path) -> dict[str, list[range]]:
    """Return by file which of its bytes were sent, each time that it was."""
    found = defaultdict[str, list[range]](list)
    for talk in folder.glob("*.asked"):
        if asked := FETCH.search(talk.read_bytes()):
            question = json.loads(asked[0])
            for name, sent in shared_out(question["files"], answered(talk.with_suffix(".told"))):
                found[f"{question['folder']}/{name}"].append(sent)
    return dict(found)


def answered(told: Path) -> int:
    """Return how many bytes of files an answer has, as far as it was sent."""
    text = told.read_bytes()
    if not (begin := BEGIN.search(text)):
        return 0
    return len(text.removesuffix(b"\n%s>>\n" % begin[1])) - begin.end()


def shared_out(files: list[Any], left: int) -> Iterator[tuple[str, range]]:
    """Yield of files that were sent one after the other what was sent of each."""
    for name, size, offset in files:
        sent = min(left, size - offset)
        left -= sent
        yield name, range(offset, offset + sent)


def main(log: str, argv: list[str]) -> int:
    """Run a command, and keep what passes."""
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0) as child:
        assert child.stdin
        assert child.stdout
        Thread(target=copy, args=(0, child.stdin, f"{log}.asked"), daemon=True).start()
        copy(child.stdout.fileno(), sys.stdout.buffer.raw, f"{log}.told")
    return child.returncode


def copy(source: int, sink: IO[bytes], log: str) -> None:
    """Pass bytes on to their end, and keep them."""
    with sink, open(log, "ab", buffering=0) as kept:
        while data := os.read(source, 1 << 16):
            kept.write(data)
            view = memoryview(data)
            while view:
                view = view[sink.write(view) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
