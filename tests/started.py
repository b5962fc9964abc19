"""Commands that tests start: they hear signals as in a terminal, and none outlives its test."""

import signal
import subprocess
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Any

HEARD = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
PATIENCE_S = 5.0


class Started:
    """Starts commands; what is still there at the end is asked to stop, then killed."""

    def __init__(self) -> None:
        self.processes: list[subprocess.Popen[Any]] = []

    def __call__(self, command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        process = subprocess.Popen(command, **options)
        self.processes.append(process)
        return process

    def __enter__(self) -> "Started":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """End a process; penstock's commands take their runners back when they are asked to."""
    process.terminate()
    try:
        process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in filter(None, (process.stdin, process.stdout, process.stderr)):
        stream.close()


def hear_signals() -> None:
    """Let children hear what a shell makes its background jobs ignore (`make test &`); pytest itself goes on.

    A new program inherits what is ignored and what is blocked; what its parent catches has its default there.
    """
    signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
    for number in HEARD:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, go_on)


def go_on(number: int, frame: FrameType | None) -> None:
    """Do nothing, as when the signal was ignored."""
