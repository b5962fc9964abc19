"""Reading a page's blocks and running them: what a page shows is what a reader gets.

- A block of any language whose first line, or the one after its `#!`, is the comment `# NAME` is that file; `# NAME, added`
  is added to it.
- A `console` block holds commands after `$ ` and what they print. `…` stands for anything, alone on a line for any
  number of lines; what is not shown is not compared. A command that should fail says so: `# ends with 1`.
- A block in a list is indented as the list is.

All of a page runs in one shell, in one new folder.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

MARK = "\x1e"
PATIENCE_S = 90

_FENCE = re.compile(r"^( *)(```+)(\w*)\n(.*?)^\1\2\n", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"(?:#!.*\n)?# ([\w./-]+(?:\.\w+|/Snakefile))(, added)?\n")
_ENDS = re.compile(r"# ends with (\d+)$")
_CLOCK = re.compile(r"\d\d:\d\d:\d\d")


@dataclass(frozen=True)
class File:
    """A file that the page tells its reader to write."""

    name: str
    text: str
    added: bool

    def to_shell(self) -> str:
        name = shlex.quote(self.name)
        return f"mkdir -p $(dirname {name}); printf %s {shlex.quote(self.text)} {'>>' if self.added else '>'} {name}"


@dataclass(frozen=True)
class Command:
    """A command, with what the page shows below it."""

    line: int
    text: str
    shown: tuple[str, ...]

    @property
    def code(self) -> int:
        found = _ENDS.search(self.text)
        return int(found[1]) if found else 0


@dataclass(frozen=True)
class Printed:
    """What a command really did."""

    code: int | None
    lines: tuple[str, ...]


def read_blocks(page: str) -> Iterator[File | Command]:
    """Yield what a page makes its reader do, in order."""
    for fence in _FENCE.finditer(page):
        language, text = fence[3], re.sub(rf"^{fence[1]}", "", fence[4], flags=re.MULTILINE)
        if language == "console":
            yield from _read_commands(text, page.count("\n", 0, fence.start(4)) + 1)
        elif named := _FILE.match(text):
            yield File(named[1], text, bool(named[2]))


def _read_commands(text: str, first: int) -> Iterator[Command]:
    command: Command | None = None
    for number, line in enumerate(text.splitlines(), first):
        if line.startswith("$ "):
            if command:
                yield command
            command = Command(number, line[2:], ())
        elif command:
            command = Command(command.line, command.text, (*command.shown, line))
    if command:
        yield command


def run_blocks(blocks: Sequence[File | Command], folder: Path) -> list[Printed]:
    """Run all blocks in one shell in `folder` and return what each command did."""
    output = folder.with_name(f"{folder.name}.output")
    script = "\n".join(_step(block) for block in blocks)
    with output.open("wb") as sink:
        shell = subprocess.Popen(
            ["bash", "-c", script],
            cwd=folder,
            env=_environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            shell.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(shell.pid, signal.SIGKILL)
            shell.wait()
    return [_printed(part) for part in output.read_text("utf-8", "replace").split(MARK)[1:]]


def _environment(home: Path) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("PENSTOCK")}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**ours, "PATH": path, "HOME": str(home), "LC_ALL": "C.UTF-8"}


def _step(block: File | Command) -> str:
    if isinstance(block, File):
        return block.to_shell()
    end = f"code=$?; printf '\\n%s\\n' $code; test $code = {block.code} || exit"  # what follows would mislead
    return f"printf '\\x1e\\n'\n{block.text}\n{end}"


def _printed(part: str) -> Printed:
    *lines, last = [line.rstrip() for line in part.split("\n") if line.strip()] or [""]
    if last.isdecimal():
        return Printed(int(last), tuple(lines))
    return Printed(None, (*lines, last))  # it was still at work when our patience ended


def told_otherwise(page: Path, blocks: Sequence[File | Command], folder: Path) -> str:
    """Run the blocks of a page in `folder`, and return what it tells otherwise than it is; nothing if all is so."""
    commands = [block for block in blocks if isinstance(block, Command)]
    done = run_blocks(blocks, folder)
    told = [
        f"{page.name}:{command.line}: `{command.text}` {fault}\n  it printed:\n    "
        + "\n    ".join(printed.lines)
        for command, printed in zip(commands, done, strict=False)
        for fault in faults(command, printed)
    ]
    if not told and len(done) < len(commands):
        told = [f"{page.name}:{commands[len(done)].line}: was not reached"]
    return "\n".join(told)


def faults(command: Command, printed: Printed) -> list[str]:
    """Say what a reader would find different from what the page shows."""
    found: list[str] = []
    if printed.code != command.code:
        ended = "does not end" if printed.code is None else f"ends with {printed.code}"
        found.append(f"{ended}, and should end with {command.code}")
    missing = _first_missing([line for line in command.shown if line.strip()], printed.lines)
    if missing is not None:
        found.append(f"does not print, at this place: {missing}")
    return found


def _first_missing(shown: Sequence[str], printed: Sequence[str]) -> str | None:
    rest = iter(printed)
    for line in shown:
        if line.strip() == "…":
            continue
        matches = _pattern(line).fullmatch
        if not any(matches(real) for real in rest):
            return line
    return None


def _pattern(line: str) -> re.Pattern[str]:
    words = [_CLOCK.sub("\0", word) for word in line.split()]
    text = r"\s+".join(re.escape(word) for word in words)
    return re.compile(r"\s*" + text.replace("…", ".*").replace("\0", r"\d\d:\d\d:\d\d"))
