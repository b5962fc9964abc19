"""The way to a PretendCluster, which may be cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import AuthNeeded, Unreachable
from penstock.pretended.faults import Fault
from penstock.transports.commands import Run
from penstock.transports.local import LocalTransport
from penstock.transports.protocol import Copy, Entry, Part
from penstock.transports.reply import Reply

NOBODY = "site 'pretend' needs you: `penstock site login pretend`"
CUT = "ssh: connect to host pretend port 22: Network is unreachable"


class PretendWay(LocalTransport):
    """Commands and files of a pretended cluster; `faults`: how many more questions each fault spoils."""

    def __init__(self, folder: Path, faults: Counter[Fault], *, run_here: Run) -> None:
        super().__init__(folder, run_here=run_here)
        self.faults, self.depth = faults, 0

    @contextmanager
    def passage(self) -> Generator[None]:
        """Surround one question, which may not get there, or its answer not back."""
        if self.depth == 0:
            self.fail(Fault.LOGIN_NEEDED, AuthNeeded(NOBODY))
            self.fail(Fault.UNREACHABLE, Unreachable(CUT))
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1
        if self.depth == 0:
            self.fail(Fault.CUT_OFF, Unreachable(CUT))

    def fail(self, fault: Fault, error: Exception) -> None:
        """Raise an error as often as the fault was asked for."""
        if self.faults[fault] > 0:
            self.faults[fault] -= 1
            raise error

    def run(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Run a command."""
        with self.passage():
            return super().run(argv, cwd=cwd, environment=environment, timeout_s=timeout_s)

    def read(self, offsets: Mapping[str, int]) -> dict[str, bytes]:
        """Return the bytes of files from these offsets on."""
        with self.passage():
            return super().read(offsets)

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files."""
        with self.passage():
            super().write(files)

    def list(self, folders: Iterable[str]) -> dict[str, Mapping[str, Entry]]:
        """Return the names in these folders."""
        with self.passage():
            return super().list(folders)

    def look(
        self, folders: Iterable[str], offsets: Mapping[str, int]
    ) -> tuple[dict[str, Mapping[str, Entry]], dict[str, bytes]]:
        """List folders and read files, by one question."""
        with self.passage():
            return super().look(folders, offsets)

    def remove(self, names: Iterable[str]) -> None:
        """Remove files and folders."""
        with self.passage():
            super().remove(names)

    def pack(self, folder: str) -> None:
        """Pack a folder."""
        with self.passage():
            super().pack(folder)

    def send(self, copies: Sequence[Copy]) -> None:
        """Send whole files."""
        with self.passage():
            super().send(copies)

    def fetch(self, copies: Sequence[Copy]) -> None:
        """Fetch whole files."""
        with self.passage():
            super().fetch(copies)

    def hold(self, root: str, blobs: Mapping[str, int]) -> Sequence[str]:
        """Refer to files of the store."""
        with self.passage():
            return super().hold(root, blobs)

    def release(self, root: str, digests: Iterable[str]) -> None:
        """Refer to files of the store no longer."""
        with self.passage():
            super().release(root, digests)

    def check(self, files: Sequence[tuple[str, int, str | None]]) -> Mapping[str, str]:
        """Look at files and folders."""
        with self.passage():
            return super().check(files)

    def walk(self, folders: Sequence[str]) -> Mapping[str, Sequence[Part]]:
        """Look into folders."""
        with self.passage():
            return super().walk(folders)
