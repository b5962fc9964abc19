"""What a way to the place where jobs run must be able to do: one command, and files by the batch.

Each method is one question for however many files, so that a transport far away needs one round trip for it. Names of
files are relative to the transport's own folder and have slashes; one that leads out of it is refused with ValueError.
What cannot be written or read raises OSError with the path there; where nobody answers, it is Unreachable.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, Self, runtime_checkable

from penstock.runner.below import Found
from penstock.runner.digests import Part
from penstock.runner.store import is_digest, is_root
from penstock.transports.reply import Reply

AT_ONCE = 1 << 20  # bytes of one file in one answer
MOST = 64 << 20  # bytes of all files in one answer
REFRESH_S = 20.0  # well below the time for which the last event of an element is waited for


class Entry(NamedTuple):
    """What a folder's listing says of one name; its time is by the file server's clock."""

    size: int
    mtime_s: float
    is_folder: bool = False


class Copy(NamedTuple):
    """A file here and there, what both must be, and the mode of the one that is made."""

    name: str
    path: Path
    size: int
    digest: str
    mode: int = 0o600


class Transport(Protocol):
    """Commands and files of one place, the files below one folder of it."""

    @property
    def folder(self) -> Path:
        """The folder that all names are relative to, as it is called there."""
        ...

    def at(self, folder: Path) -> Self:
        """Return the same way to another folder there."""
        ...

    def public(self) -> Self:
        """Return the same way to the same folder, for files that all may read: 0644, in folders of 0755.

        Others may write into its folder, too, if its owner lets them. Listing leaves nothing there, and may be old by as
        much as a network file system keeps it.
        """
        ...

    @property
    def environment(self) -> Mapping[str, str]:
        """What is set where its commands run, of which they get what they are given."""
        ...

    def run(
        self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], timeout_s: float
    ) -> Reply:
        """Run a command to its end, without a shell and with this environment alone.

        After its time limit it is killed, and its reply has no code. Raises OSError when it cannot be started.
        """
        ...

    def read(self, offsets: Mapping[str, int]) -> dict[str, bytes]:
        """Return the bytes of files from these offsets on.

        What is no file, or is not there, is not in the answer. Of one file it holds `AT_ONCE` bytes at most, and about
        `MOST` of all, in the order of the question: of what had no room it holds less, or none. So an answer that is
        shorter than `AT_ONCE` altogether is all there was.
        """
        ...

    def write(self, files: Mapping[str, bytes]) -> None:
        """Write files one after the other, each whole or not there, also when the power fails; what was there is replaced.

        A temporary name that begins with a dot, fsync, rename, fsync of the folder. Files have mode 0600, and the folders
        that are missing are made with 0700, whatever the umask; where others may write the transport's own folder,
        nothing is written.
        """
        ...

    def list(self, folders: Iterable[str]) -> dict[str, Mapping[str, Entry]]:
        """Return the names in these folders ('' is the transport's own), as they are now; a missing folder is not in the answer.

        Listings may be lazy: an entry is looked at when it is asked for, and one that is gone by then is a KeyError.
        """
        ...

    def look(
        self, folders: Iterable[str], offsets: Mapping[str, int]
    ) -> tuple[dict[str, Mapping[str, Entry]], dict[str, bytes]]:
        """Return what `list` and `read` would, by one question."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders with all in them, as far as can be; links are not followed, what is gone is gone."""
        ...

    def leave(self) -> None:
        """Remove the transport's own folder, and the one that it is in, as far as they are empty."""
        ...

    def pack(self, folder: str) -> None:
        """Put the files of a folder into `<folder>.zip` beside it, durably, and remove the folder; without room it stays.

        Names that begin with a dot, and `*.reserve`, are left out. An archive that is there and whole is kept.
        """
        ...

    def send(self, copies: Sequence[Copy]) -> None:
        """Send whole files from here, as far as they are missing there; each gets its name when it is whole and durable.

        What an earlier try was cut in is continued. A file that is there keeps its mode, with the bits that it lacks.
        Raises OSError for one that has no longer the bytes that its digest says.
        """
        ...

    def fetch(self, copies: Sequence[Copy]) -> None:
        """Fetch whole files to here, in the same way; what is executable there is so here."""
        ...

    def hold(self, root: str, blobs: Mapping[str, int]) -> Sequence[str]:
        """Let a campaign refer to files of the store in the transport's folder; return those that are not there.

        `blobs` has sizes by digests; `root` is what the campaign is called there. It refers to them, durably, before
        anything is looked for: what is not returned stays there until it is released.
        """
        ...

    def release(self, root: str, digests: Iterable[str]) -> None:
        """Let a campaign refer to these files no longer, and remove those that no other refers to; may be repeated."""
        ...

    def check(self, files: Sequence[tuple[str, int, str | None]]) -> Mapping[str, str]:
        """Return what is wrong with files and folders: those that are missing, or have another size, or other bytes.

        Bytes are compared where there is a digest, and made durable. Of a folder the size is not compared.
        """
        ...

    def find(self, names: Sequence[tuple[str, Collection[int]]]) -> Sequence[Found]:
        """Return what is at each of these names, without following a link.

        A file is read for its digest if it has one of the sizes that stand beside its name.
        """
        ...

    def walk(self, folders: Sequence[str]) -> Mapping[str, Sequence[Part]]:
        """Return all files and links in each of these folders; raises OSError where there is something else."""
        ...


@runtime_checkable
class NeedsLogin(Protocol):
    """A transport that nothing passes until a person has logged in."""

    def login(self) -> bool:
        """Log in, asking the person at the terminal for what the host wants; return False if that was done before."""
        ...


class Listings:
    """When which folder was last made to be listed anew, for a network file system keeps old listings."""

    def __init__(self) -> None:
        self.refreshed = dict[str, float]()

    def is_old(self, folder: str) -> bool:
        """Whether the next listing of a folder has to be a new one; then it is taken to be."""
        now = time.monotonic()
        if now < self.refreshed.get(folder, -REFRESH_S) + REFRESH_S:
            return False
        self.refreshed[folder] = now
        return True


def at_home(path: Path, transport: Transport) -> Path:
    """Return a path at a transport's place, where `~` is its user's home."""
    if path.parts[:1] != ("~",):
        return path
    return Path(transport.environment["HOME"], *path.parts[1:])


def refuse_own_folder(name: str) -> None:
    """Raise ValueError for a name of the transport's own folder, which it does not remove."""
    if not name.strip("/."):
        raise ValueError("a transport does not remove its own folder")


def is_inside(name: str) -> bool:
    """Whether a relative name stays within the folder that it is relative to.

    >>> [is_inside(name) for name in ("p1/spec.json", "", "../x", "/etc", "a/../../b", "a..b")]
    [True, True, False, False, False, True]
    """
    return not name.startswith("/") and (".." not in name or ".." not in name.split("/"))


def refuse_odd(root: str, digests: Iterable[str]) -> None:
    """Raise ValueError for what is no name of a campaign, or no digest."""
    if not is_root(root):
        raise ValueError(f"{root!r} cannot be the name of a campaign at a site")
    for digest in digests:
        if not is_digest(digest):
            raise ValueError(f"{digest!r} is no SHA-256")


def read_whole(transport: Transport, name: str, offset: int = 0, most: int | None = None) -> bytes | None:
    """Return all bytes of a file, or `most` of them, from an offset on; None when there is none, or something else."""
    pieces, left = list[bytes](), most
    while (piece := transport.read({name: offset}).get(name)) is not None:
        pieces.append(piece if left is None else piece[:left])
        offset += len(piece)
        left = None if left is None else left - len(piece)
        if len(piece) < AT_ONCE or (left is not None and left <= 0):
            return b"".join(pieces)
    return None
