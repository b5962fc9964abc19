"""The first process of a rig: it shuts out this machine's files, and gathers what others leave.

It runs in namespaces of its own, with the system's Python, and is told on its standard input what to do.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def shut_out(hidden: list[str], code: str) -> None:
    """Cover these folders by empty ones, keep the code of tests in /mnt, and let nothing else be written."""
    mount("--bind", code, "/mnt")
    mount("-o", "remount,bind,ro", "/mnt")
    for folder in hidden:
        mount("-t", "tmpfs", "-o", "mode=1777", "rig", folder)
    mount("-o", "remount,bind,ro", "/")


def fill(files: dict[str, str]) -> None:
    """Write files for their owner alone."""
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(0o600)
        path.write_text(text, encoding="utf-8")


def main(told: dict[str, Any]) -> None:
    socket.sethostname(told["name"])
    os.chdir("/")
    shut_out(told["hidden"], told["code"])
    fill(told["files"])
    for folder in told["folders"]:
        Path(folder).mkdir(parents=True, exist_ok=True)
    signal.signal(
        signal.SIGCHLD, signal.SIG_IGN
    )  # what others leave is ours, and needs nobody who waits for it
    print("ready", flush=True)
    while True:
        signal.pause()


if __name__ == "__main__":
    main(json.load(sys.stdin))
