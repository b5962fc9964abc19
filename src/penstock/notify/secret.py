"""Secrets, read when they are needed from where the definition says that they are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from penstock.channels import Secret

LIMIT_S = 10.0


class Unreadable(Exception):
    """A secret cannot be read; the message says why, and nothing of it."""


def read_secret(where: Secret, root: Path) -> str:
    """Return a secret; raises Unreadable."""
    if where.file:
        found = _of_file(root / Path(where.file).expanduser())
    elif where.variable:
        found = os.environ.get(where.variable, "")
    else:
        found = _of_command(where.command, root)
    if not found:
        raise Unreadable(f"there is no secret in {named(where)}: put it there")
    return found


def named(where: Secret) -> str:
    """Name the place of a secret."""
    if where.variable:
        return f"the variable {where.variable} of penstock's environment"
    return f"{where.file}" if where.file else f"the output of {where.command[0]}"


def _of_file(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            raise Unreadable(f"others may read {path}: `chmod 600 {path}`, and change the secret")
        return first_line(path.read_bytes())
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from None


def _of_command(argv: tuple[str, ...], root: Path) -> str:
    try:
        done = subprocess.run(
            argv, cwd=root, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        why = "takes too long" if isinstance(error, subprocess.TimeoutExpired) else "cannot be started"
        raise Unreadable(f"{argv[0]}, which knows a secret, {why}") from None
    if done.returncode:
        raise Unreadable(f"{argv[0]}, which knows a secret, ended with exit code {done.returncode}")
    return first_line(done.stdout)


def first_line(data: bytes) -> str:
    """Return the first line, without the spaces around it."""
    return data.decode(errors="replace").strip().partition("\n")[0].strip()
