"""This machine as a place: its commands, and files below one of its folders."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from penstock.disk import append, make_private, read_from, write_file
from penstock.runner.folders import remove
from penstock.transports.commands import Run, run_command
from penstock.transports.packing import pack_folder
from penstock.transports.protocol import AT_ONCE, MOST, Entry, is_inside
from penstock.transports.reply import Reply

REFRESH_S = 20.0  # well below the time for which the last event of an element is waited for


class LocalTransport:
    """Files below a folder that this machine sees, and commands that it runs, or lets `run_here` run."""

    def __init__(self, folder: Path, *, run_here: Run = run_command) -> None:
        self._folder, self.run_here = folder, run_here
        self.refreshed = dict[str, float]()
        """When which folder was last made to be listed anew."""

    @property
    def folder(self) -> Path:
        """The folder that all names are relative to."""
        return self._folder

    def path_of(self, name: str) -> str:
        """Return where a file is; raises ValueError for a name that leads out of the folder."""
        if not is_inside(name):
            raise ValueError(f"{name} is not below {self.folder}")
        return f"{self.folder}/{name}"

    def run(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Run a command to its end or its time limit."""
        return self.run_here(argv, cwd=cwd, environment=environment, timeout_s=timeout_s)

    def read(self, offsets: Mapping[str, int]) -> dict[str, bytes]:
        """Return the bytes of files from these offsets on."""
        found, left = dict[str, bytes](), MOST
        for name, offset in offsets.items():
            data = read_from(self.path_of(name), offset, min(AT_ONCE, left))
            if data is not None:
                found[name] = data
                left -= len(data)
        return found

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files one after the other, each whole or not there."""
        if files:
            make_private(self.folder)
        for name, data in files.items():
            path = Path(self.path_of(name))
            self.make_folder(path.parent)
            write_file(path, data)

    def make_folder(self, folder: Path) -> None:
        """Make a folder below ours, and those above it, for their owner alone."""
        if not folder.is_dir():
            self.make_folder(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)

    def append(self, name: str, data: bytes) -> None:
        """Add bytes to the end of a file, durably: what only this machine can do for a runner of its own."""
        append(Path(self.path_of(name)), data)

    def list(self, folders: Iterable[str]) -> dict[str, Mapping[str, Entry]]:
        """Return the names in these folders."""
        found = dict[str, Mapping[str, Entry]]()
        for folder in folders:
            path = self.path_of(folder)
            if time.monotonic() >= self.refreshed.get(folder, -REFRESH_S) + REFRESH_S:
                self.refresh_listing(folder)
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
                found[folder] = Listing(entries)
        return found

    def refresh_listing(self, folder: str) -> None:
        """Change a folder, so that the next listing is a new one.

        A network file system keeps an old one as long as the folder's time stands still, and what nodes make within
        one step of the server's clock, milliseconds to a second, may not move it (nfs(5), "Directory entry caching").
        """
        self.refreshed[folder] = time.monotonic()
        look = Path(self.path_of(folder)) / f".look.{os.getpid()}"
        with suppress(OSError):  # no room, or a folder that is packed by now
            look.touch(mode=0o600)
            look.unlink()

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders with all in them."""
        for name in names:
            if not name.strip("/."):
                raise ValueError("a transport does not remove its own folder")
            remove(self.path_of(name))

    def pack(self, folder: str) -> None:
        """Put the files of a folder into an archive beside it, and remove the folder."""
        pack_folder(Path(self.path_of(folder)))


class Listing(Mapping[str, Entry]):
    """The names in a folder. Each is looked at only when it is asked for: on a network that may be a question to its server."""

    def __init__(self, entries: Iterable[os.DirEntry[str]]) -> None:
        self.entries = {entry.name: entry for entry in entries}

    def __getitem__(self, name: str) -> Entry:
        try:
            status = self.entries[name].stat(follow_symlinks=False)
        except FileNotFoundError:
            raise KeyError(name) from None
        return Entry(status.st_size, status.st_mtime, self.entries[name].is_dir(follow_symlinks=False))

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)
