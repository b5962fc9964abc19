"""The token that lets people in: a new one each time, or one in a file that only its owner reads."""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path

from penstock.disk import write_file
from penstock.errors import DefinitionError

TOKEN = re.compile(r"[A-Za-z0-9_-]{24,200}")


def token_of(file: Path | None) -> str:
    """Return the token that a file keeps, made if it is not there; raises DefinitionError if others could know it."""
    if file is None:
        return secrets.token_urlsafe(24)
    if not file.exists():
        file = file.absolute()
        draft = file.with_name(f".{file.name}.{os.getpid()}")
        try:
            write_file(draft, f"{secrets.token_urlsafe(24)}\n".encode())
            try:
                with suppress(FileExistsError):  # another server was faster: its token is it
                    file.hardlink_to(draft)
            finally:
                draft.unlink()
        except OSError as error:
            raise DefinitionError(
                f"{file} cannot be written ({error.strerror}): name another --token-file"
            ) from error
    return read_token(file)


def read_token(file: Path) -> str:
    """Return the token in a file of ours."""
    try:
        with file.open(encoding="ascii", errors="replace") as stream:
            about, text = os.fstat(stream.fileno()), stream.read(1000).strip()
    except OSError as error:
        raise DefinitionError(
            f"{file} cannot be read ({error.strerror}): name another --token-file"
        ) from error
    if about.st_uid != os.geteuid() or about.st_mode & 0o077:
        raise DefinitionError(f"{file} is open to others: `chmod 600` it, or remove it and a new one is made")
    if not TOKEN.fullmatch(text):
        raise DefinitionError(
            f"{file} has no token (24 to 200 letters, digits, - and _): remove it and a new one is made"
        )
    return text
