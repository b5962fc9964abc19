"""A process that kills itself before a change of a file."""

import os
import signal
import sys
from collections.abc import Collection

CHANGES = frozenset({"os.rename", "os.remove", "os.mkdir"})


def kill_at(step: int, others: Collection[str] = ()) -> None:
    """Kill this process right before its n-th change of a file; `others`: more audit events that count as one."""
    left = [step]

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        writes = (
            event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if event in CHANGES or event in others or writes:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
