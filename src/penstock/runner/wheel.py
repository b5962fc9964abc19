"""One wheel: a zip whose files go to the places of an environment (packaging.python.org, "Binary distribution format")."""

import configparser
import os
import re
import shutil
import stat
import zipfile
from typing import IO

from .blocks import digest_of
from .survey import python_of

SCRIPTS = ("console_scripts", "gui_scripts")

# A shell starts it, since a kernel reads no more than 127 bytes of `#!` and a path.
LAUNCHER = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
"""
START = """\
import sys
from {module} import {first}
if __name__ == "__main__":
    sys.exit({call}())
"""


class Refused(Exception):
    """What cannot be installed, in a sentence."""


class Wheel:
    """One wheel, and where its files go."""

    def __init__(self, path: str, draft: str, packages: str, target: str) -> None:
        self.path, self.name = path, os.path.basename(path)
        self.packages, self.python = packages, python_of(target)
        project = self.name.partition("-")[0]
        self.places = {
            "purelib": packages,
            "platlib": packages,
            "scripts": os.path.join(draft, "bin"),
            "headers": os.path.join(draft, "include", project),
            "data": draft,
        }

    def unpack(self, digest: str) -> None:
        """Write all files of a wheel with this digest."""
        if digest_of(self.path) != digest:
            raise Refused("{} arrived damaged".format(self.path))
        try:
            with zipfile.ZipFile(self.path) as archive:
                for entry in archive.infolist():
                    self.unpack_entry(archive, entry)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise Refused("{} is no wheel: {}".format(self.name, error)) from error

    def unpack_entry(self, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
        """Write one file."""
        if entry.filename.endswith("/"):
            return
        path = self.place_of(entry.filename)
        is_program = bool(entry.external_attr >> 16 & stat.S_IXUSR) or self.is_script(path)
        with archive.open(entry) as source, create(path, is_program) as file:
            if self.is_script(path):
                file.write(self.started(source.readline()))
            shutil.copyfileobj(source, file, 1 << 20)
        if re.match(r"[^/]+\.dist-info/entry_points\.txt$", entry.filename):
            self.write_launchers(archive.read(entry).decode("utf-8"))

    def place_of(self, name: str) -> str:
        """Return where a file goes; a name that leads out is refused."""
        parts = name.split("/")
        if "\\" in name or not {"", ".", ".."}.isdisjoint(parts):
            raise Refused("{} has a file with the name {!r}".format(self.name, name))
        if not parts[0].endswith(".data"):
            return os.path.join(self.packages, *parts)
        if len(parts) < 3 or parts[1] not in self.places:
            raise Refused("{} has a file {!r} for which there is no place".format(self.name, name))
        return os.path.join(self.places[parts[1]], *parts[2:])

    def is_script(self, path: str) -> bool:
        """Whether a file is a program that people call by its name."""
        return os.path.dirname(path) == self.places["scripts"]

    def started(self, line: bytes) -> bytes:
        """Return the first line of a program; `#!python` stands for the interpreter."""
        return os.fsencode(LAUNCHER.format(python=self.python)) if line.startswith(b"#!python") else line

    def write_launchers(self, text: str) -> None:
        """Write the programs that are functions of modules."""
        parser = configparser.RawConfigParser(delimiters=("=",), strict=False)
        vars(parser)["optionxform"] = str  # names as they are written
        try:
            parser.read_string(text)
        except configparser.Error as error:
            raise Refused("{} has entry points that cannot be read: {}".format(self.name, error)) from error
        for name, place in [
            pair for kind in SCRIPTS if parser.has_section(kind) for pair in parser.items(kind)
        ]:
            match = re.match(r"([\w.]+)\s*:\s*(\w+)((?:\.\w+)*)\s*(?:\[.*\])?$", place)
            if not match or not re.match(r"[\w.-]+$", name) or name in (".", ".."):
                raise Refused("{} has the entry point {!r}".format(self.name, name))
            module, first, rest = match.groups()
            text = LAUNCHER + START.format(module=module, first=first, call=first + rest)
            with create(os.path.join(self.places["scripts"], name), True) as file:
                file.write(os.fsencode(text.format(python=self.python)))


def create(path: str, is_program: bool) -> IO[bytes]:
    """Open a new file in place of any other; a link there is not followed."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    mode = 0o777 if is_program else 0o666  # less what the umask takes
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb")
