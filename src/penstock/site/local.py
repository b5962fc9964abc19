"""This machine: job folders beside the campaign, runners as detached processes that are fed batch by batch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from penstock.campaign import Site
from penstock.errors import SubmitRejected
from penstock.ledger import FOLDER
from penstock.runner.errors import CROWDED
from penstock.runner.share import THREADS
from penstock.schedulers import local
from penstock.site.folders import TASKS, WORDS, JobFolders, writing
from penstock.transports.local import append, write_file


def remedy_for(error: OSError) -> str:
    """Say why a runner could not be started, and what to mend."""
    if why := CROWDED.get(error.errno or 0):
        return f"{why}: lower the site's `cores` or raise the limit, and run the same command again"
    return f"{error.strerror}: correct its `python`"


class LocalSite(JobFolders):
    """This machine."""

    def __init__(self, site: Site, root: Path) -> None:
        super().__init__((site.workdir or root / FOLDER) / "jobs", root)
        self.site = site
        self.cores = site.cores or len(os.sched_getaffinity(0))

    @property
    def name(self) -> str:
        """The name that the definition gives it."""
        return self.site.name

    def environment(self) -> Mapping[str, str]:
        """Return what is set for every task."""
        return self.site.environment

    def start(self, token: str) -> str:
        """Start the runner of a placed job and return its native id."""
        from penstock.runner.build import build_pyz

        folder = self.job_folder(token)
        ours = {name: value for name, value in os.environ.items() if name not in THREADS}
        environment = {**ours, **self.site.environment, "PENSTOCK": f"{token}/1/1"}
        with writing(self.folder):
            argv = local.runner_argv(build_pyz(self.folder), folder, self.site.python)
        try:
            return local.start(argv, folder / WORDS, cwd=self.root, environment=environment)
        except OSError as error:
            raise SubmitRejected(
                f"site '{self.name}': no runner can be started with {argv[0]}, {remedy_for(error)}"
            ) from error

    def feed(self, token: str, data: bytes) -> None:
        """Give more batches to a running job."""
        with writing(self.job_folder(token)):
            append(self.job_folder(token) / TASKS, data)

    def close_feed(self, token: str, batches: int) -> None:
        """Tell a job that no batch after so many will come."""
        with writing(self.job_folder(token)):
            write_file(self.job_folder(token) / "closed", str(batches).encode())

    def alive(self, native: str) -> bool:
        """Whether a job that was started still runs."""
        return local.alive(native)

    def sees(self, native: str) -> bool:
        """Whether it can be told from here if a job still runs."""
        return local.seen(native)

    def ask_to_end(self, native: str) -> None:
        """Ask a job to start nothing more and to give back the rest."""
        local.ask_to_end(native)

    def end_leftovers(self, token: str) -> None:
        """End what a dead runner's tasks left running."""
        local.end_leftovers(token)
