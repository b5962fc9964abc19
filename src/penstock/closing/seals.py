"""The seal of a group: a document and a list of files, how they are written, read and checked."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from penstock.disk import write_file
from penstock.errors import PenstockError
from penstock.runner.digests import digest_file, parts_of
from penstock.runner.kinds import Odd


class Listed(NamedTuple):
    """A line of the list: a file, by its path from the campaign's folder, and its SHA-256."""

    digest: str
    path: str


class Fault(NamedTuple):
    """A file that is not as it was sealed: `differs`, `missing`, `extra` or `unreadable`."""

    kind: str
    path: str


def canonical_json(document: Mapping[str, Any]) -> bytes:
    """Return the one form of a document: keys in order, no spaces, UTF-8, no NaN, a newline at its end.

    >>> canonical_json({"b": 1, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}\\n'
    """
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"{text}\n".encode()


def write_list(listed: Iterable[Listed]) -> bytes:
    """Return files in the form that `sha256sum --check` reads, in the order of their paths."""
    return b"".join(map(_line, sorted(listed, key=lambda one: one.path.encode())))


def _line(one: Listed) -> bytes:
    path = one.path.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    mark = "" if path == one.path else "\\"
    return f"{mark}{one.digest}  {path}\n".encode()


def read_list(data: bytes) -> Iterator[Listed]:
    """Yield the files of a list."""
    for line in data.decode().split("\n"):
        if line:
            digest, _, path = line.removeprefix("\\").partition("  ")
            yield Listed(digest, _unescape(path) if line.startswith("\\") else path)


def _unescape(path: str) -> str:
    pieces = (piece.replace("\\n", "\n").replace("\\r", "\r") for piece in path.split("\\\\"))
    return "\\".join(pieces)


def files_in(root: Path, path: str) -> list[Listed]:
    """Return the files of a product that is a folder; links in it are not listed. Raises Odd for what is neither."""
    return [
        Listed(part.digest, f"{path}/{part.name}") for part in parts_of(str(root / path)) if not part.link
    ]


def sha256(data: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def list_beside(seal: Path) -> Path:
    """Return the list of a seal's files."""
    return seal.with_suffix(".sha256")


def check_seal(
    root: Path, seal: Path, *, recorded: str | None = None, paths: Iterable[str] = ()
) -> list[Fault]:
    """Read all files of a sealed group again; return those that are not as they were sealed.

    `recorded` is the digest that the record has of the seal itself, `paths` what the record says is in the group now.
    """
    files, name = list_beside(seal), str(seal.relative_to(root))
    if not (seal.is_file() and files.is_file()):
        return [Fault("missing", str(path.relative_to(root))) for path in (seal, files) if not path.is_file()]
    data, lines = seal.read_bytes(), files.read_bytes()
    if recorded not in (None, sha256(data)):
        return [Fault("differs", name)]
    document = json.loads(data)
    if sha256(lines) != document["files"]["sha256"]:
        return [Fault("differs", str(files.relative_to(root)))]
    listed = {one.path: one.digest for one in read_list(lines)}
    found = [fault for path, digest in listed.items() if (fault := _fault(root, path, digest))]
    there = {*paths, *(one for folder in document["folders"] for one in _names(root, folder))}
    extra = [Fault("extra", path) for path in sorted(there - listed.keys() - {*document["folders"]})]
    return [*found, *extra]


def _fault(root: Path, path: str, digest: str) -> Fault | None:
    try:
        same = digest_file(str(root / path))[1] == digest
    except (FileNotFoundError, NotADirectoryError):
        return Fault("missing", path)
    except (Odd, OSError):
        return Fault("unreadable", path)
    return None if same else Fault("differs", path)


def _names(root: Path, folder: str) -> Iterator[str]:
    for place, _, names in os.walk(root / folder):
        for name in names:
            path = Path(place, name)
            if not path.is_symlink():
                yield str(path.relative_to(root) if path.is_relative_to(root) else path)


def keep(seal: Path) -> Path:
    """Keep a seal and its list under the number of the seal, before another takes its place; return where it is.

    Doing it again changes nothing. Raises PenstockError if something else lies there.
    """
    data = seal.read_bytes()
    number = json.loads(data)["seal"]
    for path in (list_beside(seal), seal):
        kept = path.with_name(f"{path.stem}.{number}{path.suffix}")
        if kept.exists() and kept.read_bytes() != path.read_bytes():
            raise PenstockError(f"{kept} is not a copy of {path.name}: move it away, then reopen again")
        write_file(kept, path.read_bytes())
    return seal.with_name(f"{seal.stem}.{number}{seal.suffix}")
