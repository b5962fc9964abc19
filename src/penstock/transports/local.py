"""This machine as a place: its commands, and files below one of its folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from copy import copy as clone
from pathlib import Path
from typing import Self

from penstock.disk import append, make_private
from penstock.runner import files as files_here
from penstock.runner import store
from penstock.runner.below import Found, look_below
from penstock.runner.blocks import Wanted, held, look_at, mode_of, pieces_of_file, receive_all, write_shown
from penstock.runner.digests import faults_in, walk
from penstock.runner.files import pack_folder, read_from, refresh_listing, remove, remove_empty
from penstock.transports.commands import Run, run_command
from penstock.transports.protocol import (
    AT_ONCE,
    MOST,
    Copy,
    Entry,
    Listings,
    Part,
    is_inside,
    refuse_odd,
    refuse_own_folder,
)
from penstock.transports.reply import Reply


class LocalTransport:
    """Files below a folder that this machine sees, and commands that it runs, or lets `run_here` run."""

    def __init__(self, folder: Path, *, run_here: Run = run_command) -> None:
        self._folder, self.run_here, self.is_public = folder, run_here, False
        self.listings = Listings()

    @property
    def folder(self) -> Path:
        """The folder that all names are relative to."""
        return self._folder

    @property
    def environment(self) -> Mapping[str, str]:
        """What is set here."""
        return os.environ

    def at(self, folder: Path) -> Self:
        """Return this machine for another folder."""
        other = clone(self)
        other._folder = folder
        return other

    def public(self) -> Self:
        """Return this folder for files that all may read."""
        other = clone(self)
        other.is_public = True
        return other

    @contextmanager
    def making(self) -> Generator[int]:
        """Make the folder of all names; folders that are made meanwhile may have this mode."""
        if not self.is_public:
            make_private(self.folder)
            yield 0o700
            return
        before = os.umask(0o022)
        try:
            files_here.make_folders(str(self.folder), 0o755)
            yield 0o755
        finally:
            os.umask(before)

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
        if not files:
            return
        with self.making():
            for name, data in files.items():
                path = self.path_of(name)
                if self.is_public:
                    write_shown(path, data)
                else:
                    files_here.make_folders(os.path.dirname(path))
                    files_here.write_file(path, [data])

    def append(self, name: str, data: bytes) -> None:
        """Add bytes to the end of a file, durably: what only this machine can do for a runner of its own."""
        append(Path(self.path_of(name)), data)

    def list(self, folders: Iterable[str]) -> dict[str, Mapping[str, Entry]]:
        """Return the names in these folders."""
        found = dict[str, Mapping[str, Entry]]()
        for folder in folders:
            path = self.path_of(folder)
            if not self.is_public and self.listings.is_old(folder):
                self.refresh_listing(folder)
            with suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
                found[folder] = Listing(entries)
        return found

    def look(
        self, folders: Iterable[str], offsets: Mapping[str, int]
    ) -> tuple[dict[str, Mapping[str, Entry]], dict[str, bytes]]:
        """Return what `list` and `read` would."""
        return self.list(folders), self.read(offsets)

    def refresh_listing(self, folder: str) -> None:
        """Make the next listing of a folder a new one."""
        refresh_listing(self.path_of(folder))

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders with all in them."""
        for name in names:
            refuse_own_folder(name)
            remove(self.path_of(name))

    def leave(self) -> None:
        """Remove the folder of all names and the one that it is in, as far as they are empty."""
        for folder in (self.folder, self.folder.parent):
            remove_empty(str(folder))

    def pack(self, folder: str) -> None:
        """Put the files of a folder into an archive beside it, and remove the folder."""
        pack_folder(self.path_of(folder))

    def send(self, copies: Sequence[Copy]) -> None:
        """Copy whole files from here, as far as they are missing there."""
        if not copies:
            return
        ways = [(str(copy.path), self.path_of(copy.name), copy) for copy in copies]
        with self.making() as folder_mode:
            copy_files(ways, lambda copy, _: copy.mode, folder_mode)

    def fetch(self, copies: Sequence[Copy]) -> None:
        """Copy whole files to here, in the same way."""
        ways = [(self.path_of(copy.name), str(copy.path), copy) for copy in copies]
        copy_files(ways, lambda copy, executable: mode_of(copy.mode, executable))

    def hold(self, root: str, blobs: Mapping[str, int]) -> Sequence[str]:
        """Let a campaign refer to these files of the store, and return those that are not there."""
        refuse_odd(root, blobs)
        make_private(self.folder)
        return store.hold(str(self.folder), root, blobs)

    def release(self, root: str, digests: Iterable[str]) -> None:
        """Let a campaign refer to these files no longer, and remove those that nobody else refers to."""
        refuse_odd(root, released := [*digests])
        store.release(str(self.folder), root, released)

    def check(self, files: Sequence[tuple[str, int, str | None]]) -> Mapping[str, str]:
        """Return the files and folders that are not as is said here, and what is wrong with each."""
        return faults_in((name, self.path_of(name), size, digest) for name, size, digest in files)

    def find(self, names: Sequence[tuple[str, Collection[int]]]) -> Sequence[Found]:
        """Return what is at each of these names, without following a link."""
        for name, _ in names:
            self.path_of(name)
        return look_below(str(self.folder), names)

    def walk(self, folders: Sequence[str]) -> Mapping[str, Sequence[Part]]:
        """Return all files and links in each of these folders."""
        return {folder: walk(self.path_of(folder)) for folder in folders}


def copy_files(
    ways: Sequence[tuple[str, str, Copy]], mode: Callable[[Copy, bool], int], folder_mode: int = 0o700
) -> None:
    """Copy files from one place to another of this machine, as far as they are missing there.

    `mode` is that of a copy, by whether its source is executable.
    """
    sources, missing = dict[str, str](), list[Wanted]()
    for source, target, copy in ways:
        have = held(target, copy.size, copy.digest, copy.mode)
        if have is not None:
            executable = look_at(source, copy.size)
            sources[target] = source
            missing.append(Wanted(target, copy.size, copy.digest, mode(copy, executable), have))
    receive_all(missing, lambda file: pieces_of_file(sources[file.path], file.offset, file.size), folder_mode)


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
