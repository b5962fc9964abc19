"""What a place where jobs run must have; tests put a pretended one in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from penstock.hardware import Node


class JobSite(Protocol):
    """What the conductor needs from every site.

    Jobs are named by their token; elements of an array are counted from 1, as are their lives. What a job writes
    is read by byte offsets, and may appear late. What cannot be written raises LedgerError.
    """

    @property
    def name(self) -> str:
        """The name of the site in the definition."""
        ...

    def environment(self) -> Mapping[str, str]:
        """Return what is set for every task."""
        ...

    def job_folder(self, token: str) -> Path:
        """Return the folder of a job, whether it is there or not."""
        ...

    def place(self, token: str, files: Mapping[str, bytes]) -> Path:
        """Make a job's folder with these files, each complete or absent, and return it."""
        ...

    def fed(self, token: str) -> bytes:
        """Return all tasks that were ever given to a job: its `tasks.jsonl`, empty if there is none."""
        ...

    def damage(self, token: str) -> Mapping[str, str]:
        """Return the files of a job that are not as they were written, by name, and what is wrong with each."""
        ...

    def set_aside(self, token: str, name: str) -> None:
        """Keep a damaged file of a job under another name."""
        ...

    def revoke(self, token: str, element: int, tasks: Sequence[tuple[int, int]]) -> None:
        """Tell an element which tasks, as numbers of stage and unit, it must neither start nor publish."""
        ...

    def revoke_all(self, token: str) -> None:
        """Revoke all tasks of every element of a job."""
        ...

    def root_of(self, token: str) -> str | None:
        """Return the folder of the campaign that a job is of; None if that is unknown."""
        ...

    def new_events(self, token: str, element: int, life: int, offset: int) -> bytes:
        """Return the bytes of an event file from `offset` on, not always all; empty if there are none."""
        ...

    def new_size(self, token: str, element: int, life: int) -> int:
        """Return how many bytes an event file has; 0 if it is not there."""
        ...

    def misfits(self, products: Sequence[tuple[str, int, str]]) -> Mapping[str, str]:
        """Return those products (path, bytes, digest) that are missing or have another size, and what is wrong."""
        ...

    def unproven(self, products: Sequence[tuple[str, int, str]]) -> Mapping[str, str]:
        """Return those products that have other bytes than their digests say; make the others durable."""
        ...

    def runner_log(self, token: str) -> str:
        """Return the messages of a runner, or of the script that starts it, outside of tasks."""
        ...

    def pack(self, token: str) -> None:
        """Pack the files of a finished job into one; may be repeated."""
        ...

    def unpacked(self) -> Sequence[str]:
        """Return the tokens of the jobs whose folders exist."""
        ...

    def remove_drafts(self) -> None:
        """Remove the files that a killed conductor began to write and never named."""
        ...


class FeedingSite(JobSite, Protocol):
    """A site whose runners live long and are fed: this machine, or the simulated one of `penstock.testing`."""

    @property
    def nodes(self) -> Sequence[Node]:
        """The machines that run its tasks, at least one, and what there is for them on each."""
        ...

    def start(self, token: str, node: str = "") -> str:
        """Start the runner of a placed job on a node, and return its native id; raises SubmitRejected if it cannot be started."""
        ...

    def feed(self, token: str, data: bytes) -> None:
        """Give more batches to a job."""
        ...

    def close_feed(self, token: str, batches: int) -> None:
        """Tell a job that no batch after the first `batches` will count."""
        ...

    def alive(self, native: str) -> bool:
        """Whether a runner that was started still runs."""
        ...

    def sees(self, native: str) -> bool:
        """Whether `alive` is visible from here: not for a runner in another container."""
        ...

    def ask_to_end(self, native: str) -> None:
        """Ask a runner to start nothing more and to return the rest."""
        ...

    def end_leftovers(self, token: str) -> None:
        """End what a dead runner's tasks left running, and wait for that."""
        ...
