"""A person at a terminal: the real program in a pseudo terminal."""

import os
import sys
from pathlib import Path

import pexpect


def at_terminal(folder: Path, *words: str) -> pexpect.spawn:
    """Start penstock in a pseudo terminal, wide enough for its tables."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "penstock", *words],
        cwd=folder,
        env={**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null"},
        dimensions=(60, 160),
        encoding="utf-8",
        timeout=20,
        echo=False,
    )


def answer(program: pexpect.spawn, question: str, text: str) -> str:
    """Wait for a question, answer it; return what was printed before the question."""
    program.expect_exact(f"{question}")
    before = program.before
    program.expect(": ")
    program.sendline(text)
    return before


def finish(program: pexpect.spawn) -> tuple[int, str]:
    """Wait for the end; return the exit code and what was still printed."""
    program.expect(pexpect.EOF)
    program.close()
    return program.exitstatus if program.exitstatus is not None else -program.signalstatus, program.before
