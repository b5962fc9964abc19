"""The one place where a command's process is made."""

import os
import signal
from typing import Dict, Sequence

# Python ignores these for itself; a command must get them as it would from a shell.
RESTORED_SIGNALS = [getattr(signal, name) for name in ("SIGPIPE", "SIGXFSZ") if hasattr(signal, name)]


def spawn(place: str, argv: Sequence[str], env: Dict[str, str], *, null: int, log: int) -> int:
    """Start a program as the leader of its own process group, with its output in a log; return its pid."""
    if not hasattr(os, "posix_spawn"):  # Python 3.7 and older
        return spawn_slowly(place, argv, env, null=null, log=log)
    actions = [(os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, log, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    return os.posix_spawn(
        place, list(argv), env, file_actions=actions, setpgroup=0, setsigdef=RESTORED_SIGNALS
    )


def spawn_slowly(place: str, argv: Sequence[str], env: Dict[str, str], *, null: int, log: int) -> int:
    """Do the same with subprocess."""
    import subprocess

    process = subprocess.Popen(
        argv, executable=place, env=env, stdin=null, stdout=log, stderr=log, preexec_fn=os.setpgrp
    )
    process.returncode = 0  # it is waited for by pid; subprocess must not wait for it too
    return process.pid
