"""The folders of jobs on a file system that this machine and the place where jobs run have in common."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from penstock.errors import LedgerError
from penstock.ledger import make_private
from penstock.ledger.archive import pack_folder
from penstock.runner.folders import remove
from penstock.runner.sealed import seal, unseal
from penstock.site.evidence import Product, misfits, unproven
from penstock.site.script import script_damage
from penstock.site.tasksfile import read_feed
from penstock.transports.local import read_from, read_whole, size_of, write_file

TASKS, SPEC, SCRIPT, WORDS = "tasks.jsonl", "spec.json", "script.sh", "runner.log"
REFRESH_S = 20.0  # well below the time for which the last word of an element is waited for
EVENTS = re.compile(r"(\d+)\.(\d+)\.jsonl")


@contextmanager
def writing(folder: Path) -> Generator[None]:
    """Raise one sentence for job files that cannot be written, with what to do."""
    try:
        yield
    except OSError as error:
        raise LedgerError(
            f"{error.filename or folder} cannot be written ({error.strerror}): fix that, and the same command continues"
        ) from error


class JobFolders:
    """The job folders of one site: what jobs read, and what they write."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder, self.root = folder, root
        self.refreshed = dict[str, float]()
        """When each job's folder was last changed to refresh its listing."""

    def job_folder(self, token: str) -> Path:
        """Return the folder of a job."""
        return self.folder / token

    def place(self, token: str, files: Mapping[str, bytes]) -> Path:
        """Make a job's folder with these files, each complete or absent."""
        folder = self.job_folder(token)
        with writing(folder):
            make_private(self.folder)
            folder.mkdir(mode=0o700, exist_ok=True)
            for name, data in files.items():
                write_file(folder / name, data)
        return folder

    def fed(self, token: str) -> bytes:
        """Return all tasks that were ever given to a job."""
        return read_whole(self.job_folder(token) / TASKS) or b""

    def damage(self, token: str) -> Mapping[str, str]:
        """Return the files of a job that are not as they were written, and what is wrong with each."""
        folder, found = self.job_folder(token), dict[str, str]()
        for name, what in ((SPEC, spec_damage), (TASKS, feed_damage), (SCRIPT, script_damage)):
            if (folder / name).exists() and (why := what(read_whole(folder / name))):
                found[name] = f"{folder / name} {why}"
        return found

    def set_aside(self, token: str, name: str) -> None:
        """Keep a damaged file of a job under another name."""
        path = self.job_folder(token) / name
        with suppress(OSError):
            path.rename(path.with_name(f"{name}.damaged"))

    def revoke(self, token: str, element: int, tasks: Sequence[tuple[int, int]]) -> None:
        """Tell an element which tasks, by stage and unit, it must not continue; what was revoked stays revoked."""
        path = self.job_folder(token) / f"{element}.revoked"
        nothing: dict[str, Any] = {"tasks": []}
        before = unseal(read_whole(path) or b"") if path.exists() else nothing
        if before is None:  # damaged: nobody knows what was revoked
            self.revoke_element(token, element)
            return
        known = {(s, u) for s, u in before["tasks"]}
        if before.get("all") or known.issuperset(tasks) or not path.parent.is_dir():
            return
        with writing(path.parent):
            write_file(path, seal(json.dumps({"tasks": sorted(known.union(tasks))}).encode()))

    def revoke_all(self, token: str) -> None:
        """Revoke all tasks of every element of a job."""
        folder = self.job_folder(token)
        if not (folder / SPEC).exists():
            return
        spec = unseal(read_whole(folder / SPEC) or b"")
        begun = (element for element, _ in self.event_files(token))
        for element in range(1, (spec["elements"] if spec else max(begun, default=1)) + 1):
            self.revoke_element(token, element)

    def revoke_element(self, token: str, element: int) -> None:
        """Revoke all tasks of one element."""
        path = self.job_folder(token) / f"{element}.revoked"
        with writing(path.parent):
            write_file(path, seal(json.dumps({"all": True, "tasks": []}).encode()))

    def root_of(self, token: str) -> str | None:
        """Return the folder of the campaign that a job is of; None if that is unknown."""
        spec = unseal(read_whole(self.job_folder(token) / SPEC) or b"")
        return str(spec["root"]) if spec and "root" in spec else None

    def event_files(self, token: str) -> list[tuple[int, int]]:
        """Return element and life of each event file of a job."""
        if time.monotonic() >= self.refreshed.get(token, -REFRESH_S) + REFRESH_S:
            self.refresh_listing(token)
        found = (EVENTS.fullmatch(name) for name in self.names(token))
        return sorted((int(match[1]), int(match[2])) for match in found if match)

    def names(self, token: str) -> list[str]:
        """Return the names of all files in a job's folder, as this machine sees them."""
        try:
            return os.listdir(self.job_folder(token))
        except FileNotFoundError:
            return []

    def refresh_listing(self, token: str) -> None:
        """Change a job's folder, so that the next listing is fresh.

        A network file system keeps an old one as long as the folder's time stands still, and what nodes make within
        one step of the server's clock, milliseconds to a second, may not move it (nfs(5), "Directory entry caching").
        """
        self.refreshed[token] = time.monotonic()
        look = self.job_folder(token) / f".look.{os.getpid()}"
        with suppress(OSError):  # no room, or a folder that is packed by now
            look.touch(mode=0o600)
            look.unlink()

    def new_events(self, token: str, element: int, life: int, offset: int) -> bytes:
        """Return the next new bytes of an event file."""
        return read_from(self.job_folder(token) / f"{element}.{life}.jsonl", offset)

    def new_size(self, token: str, element: int, life: int) -> int:
        """Return how long an event file is."""
        return size_of(f"{self.folder}/{token}/{element}.{life}.jsonl")

    def misfits(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return those products that are missing or have another size, and what is wrong."""
        return misfits(self.root, products)

    def unproven(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return those products that have other bytes than their digests say; make the others durable."""
        return unproven(self.root, products)

    def runner_log(self, token: str) -> str:
        """Return the runner's own messages, if any."""
        return read_from(self.job_folder(token) / WORDS, 0, 4096).decode(errors="replace").strip()

    def pack(self, token: str) -> None:
        """Pack the files of a finished job into one."""
        pack_folder(self.job_folder(token))

    def unpacked(self) -> Sequence[str]:
        """Return the jobs whose folders exist: active ones, and those that a crash left behind."""
        return [path.name for path in self.folder.glob("p*") if path.is_dir()]

    def remove_drafts(self) -> None:
        """Remove the files that a killed conductor began to write and never named."""
        for draft in self.folder.glob(".*"):
            remove(str(draft))


def spec_damage(data: bytes | None) -> str | None:
    """Return what is wrong with a spec, if anything."""
    return "is damaged" if unseal(data or b"") is None else None


def feed_damage(data: bytes | None) -> str | None:
    """Return what is wrong with a feed, if anything."""
    return "is not a file" if data is None else read_feed(data).damage
