"""Where jobs run: so far this machine."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from penstock.campaign import Campaign, Site
from penstock.errors import DefinitionError, LedgerError, SubmitRejected
from penstock.ledger import FOLDER, make_private
from penstock.ledger.archive import pack_folder
from penstock.runner.build import build_pyz
from penstock.runner.folders import remove
from penstock.schedulers import local
from penstock.transports.local import append, read_from, write_file


class JobSite(Protocol):
    """What the conductor asks of a place where jobs run; `penstock.testing` has one that only pretends."""

    @property
    def name(self) -> str: ...
    @property
    def cores(self) -> int: ...
    def job_folder(self, token: str) -> Path: ...
    def environment(self) -> Mapping[str, str]: ...
    def place(self, token: str, spec: bytes) -> Path: ...
    def start(self, token: str) -> str: ...
    def feed(self, token: str, data: bytes) -> None: ...
    def fed(self, token: str) -> bytes: ...
    def close_feed(self, token: str, batches: int) -> None: ...
    def revoke(self, token: str, tasks: Sequence[tuple[int, int]]) -> None: ...
    def news(self, token: str, element: int, life: int, offset: int) -> bytes: ...
    def news_size(self, token: str, element: int, life: int) -> int: ...
    def alive(self, native: str) -> bool: ...
    def ask_to_end(self, native: str) -> None: ...
    def end_leftovers(self, token: str) -> None: ...
    def last_words(self, token: str) -> str: ...
    def pack(self, token: str) -> None: ...
    def unpacked(self) -> Sequence[str]: ...
    def remove_drafts(self) -> None: ...


@contextmanager
def writing(folder: Path) -> Generator[None]:
    """Say in one sentence that the files of a job cannot be written, and what to do."""
    try:
        yield
    except OSError as error:
        raise LedgerError(
            f"{error.filename or folder} cannot be written ({error.strerror}): mend that, and the same command goes on"
        ) from error


class LocalSite:
    """This machine: job folders beside the campaign, runners as detached processes."""

    def __init__(self, site: Site, root: Path) -> None:
        if site.scheduler != "local":
            raise DefinitionError(
                f"site '{site.name}': scheduler '{site.scheduler}' is not known here: there is `local`"
            )
        self.site, self.root = site, root
        self.folder = (site.workdir or root / FOLDER) / "jobs"
        self.cores = site.cores or len(os.sched_getaffinity(0))

    @property
    def name(self) -> str:
        """The name that the definition gives it."""
        return self.site.name

    def environment(self) -> Mapping[str, str]:
        """Return what is set for every task."""
        return self.site.environment

    def job_folder(self, token: str) -> Path:
        """Return the folder of a job."""
        return self.folder / token

    def place(self, token: str, spec: bytes) -> Path:
        """Make a job's folder with its spec and an empty feed."""
        folder = self.job_folder(token)
        with writing(folder):
            make_private(self.folder)
            folder.mkdir(mode=0o700)
            write_file(folder / "tasks.jsonl", b"")
            write_file(folder / "spec.json", spec)
        return folder

    def start(self, token: str) -> str:
        """Start the runner of a placed job and return its native id."""
        folder = self.job_folder(token)
        environment = {**os.environ, **self.site.environment, "PENSTOCK": f"{token}/1/1"}
        with writing(self.folder):
            argv = local.runner_argv(build_pyz(self.folder), folder, self.site.python)
        try:
            return local.start(argv, folder, cwd=self.root, environment=environment)
        except OSError as error:
            raise SubmitRejected(
                f"site '{self.name}': no runner can be started with {argv[0]} ({error.strerror}): correct its `python`"
            ) from error

    def feed(self, token: str, data: bytes) -> None:
        """Give more batches to a running job."""
        with writing(self.job_folder(token)):
            append(self.job_folder(token) / "tasks.jsonl", data)

    def fed(self, token: str) -> bytes:
        """Return all that was ever fed to a job."""
        path = self.job_folder(token) / "tasks.jsonl"
        return path.read_bytes() if path.exists() else b""

    def close_feed(self, token: str, batches: int) -> None:
        """Tell a job that no batch after so many will come."""
        with writing(self.job_folder(token)):
            write_file(self.job_folder(token) / "closed", str(batches).encode())

    def revoke(self, token: str, tasks: Sequence[tuple[int, int]]) -> None:
        """Tell a job which tasks, by stage and unit, it must not go on with; what was revoked stays revoked."""
        path = self.job_folder(token) / "1.revoked"
        known = {(s, u) for s, u in json.loads(path.read_bytes())["tasks"]} if path.exists() else set[Any]()
        if known.issuperset(tasks):
            return
        with writing(path.parent):
            write_file(path, json.dumps({"tasks": sorted(known.union(tasks))}).encode())

    def news(self, token: str, element: int, life: int, offset: int) -> bytes:
        """Return the next new bytes of an event file."""
        return read_from(self.job_folder(token) / f"{element}.{life}.jsonl", offset)

    def news_size(self, token: str, element: int, life: int) -> int:
        """Return how long an event file is."""
        try:
            return os.stat(f"{self.folder}/{token}/{element}.{life}.jsonl").st_size
        except FileNotFoundError:
            return 0

    def alive(self, native: str) -> bool:
        """Whether a job that was started still runs."""
        return local.alive(native)

    def ask_to_end(self, native: str) -> None:
        """Ask a job to start nothing more and to give back the rest."""
        local.ask_to_end(native)

    def end_leftovers(self, token: str) -> None:
        """End what a dead runner's tasks left running."""
        local.end_leftovers(token)

    def last_words(self, token: str) -> str:
        """Return what the runner itself had to say, if anything."""
        return read_from(self.job_folder(token) / local.LOG, 0, 4096).decode(errors="replace").strip()

    def pack(self, token: str) -> None:
        """Put all that a settled job left into one file."""
        pack_folder(self.job_folder(token))

    def unpacked(self) -> Sequence[str]:
        """Return the jobs whose folders are there: those at work, and those that a crash left so."""
        return [path.name for path in self.folder.glob("p*") if path.is_dir()]

    def remove_drafts(self) -> None:
        """Remove the files that a killed conductor began to write and never named."""
        for draft in self.folder.glob(".*"):
            remove(str(draft))


def local_site(campaign: Campaign) -> LocalSite:
    """Return this machine as the campaign defines it; raises DefinitionError if a stage wants to run elsewhere."""
    for stage in campaign.stages:
        if stage.site not in (None, "local"):
            raise DefinitionError(
                f"stage '{stage.name}' is to run at site '{stage.site}', and this version runs jobs on this machine only:"
                " leave its `site` out",
                file=campaign.file,
            )
    return LocalSite(campaign.sites.get("local") or Site("local"), campaign.root)
