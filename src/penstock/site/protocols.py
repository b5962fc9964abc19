"""What a place where jobs run must have; tests put a pretended one in its place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from penstock.campaign import Site
from penstock.hardware import Node
from penstock.rendering import View
from penstock.schedulers.model import Known, Limits, Request, Scheduler, Sighting
from penstock.transports.reply import Reply

if TYPE_CHECKING:
    from penstock.site.far import FarFolder

Task = tuple[int, int]
"""Stage and unit, as numbers."""

Life = tuple[str, int, int]
"""Token of a job, element, and which life of that: whose event file is meant."""


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

    def check_owner(self) -> None:
        """Raise Held when what is there belongs to another machine's campaign."""
        ...

    def job_folder(self, token: str) -> Path:
        """Return the folder of a job, whether it is there or not."""
        ...

    def place(self, token: str, files: Mapping[str, bytes]) -> Path:
        """Make a job's folder with these files, each complete or absent, and return it."""
        ...

    def is_placed(self, token: str) -> bool:
        """Whether all that a job reads is there, so that it may have been started or submitted."""
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

    def revoke(self, token: str, tasks: Mapping[int, Sequence[Task]]) -> None:
        """Tell elements which tasks they must neither start nor publish."""
        ...

    def revoke_all(self, token: str) -> None:
        """Revoke all tasks of every element of a job."""
        ...

    def is_of_campaign(self, token: str) -> bool:
        """Whether a job is one of this campaign, as far as that is known."""
        ...

    def new_events(
        self, known: Mapping[Life, int | None], tokens: Collection[str] = ()
    ) -> Mapping[Life, bytes]:
        """Return what event files have after these offsets, and from the beginning those of `tokens` that are not known.

        None instead of an offset: heard to its end. One question for all; an answer of less than `AT_ONCE` bytes
        altogether is all there was, else some may have more.
        """
        ...

    def misfits(self, products: Sequence[tuple[str, int, str]]) -> Mapping[str, str]:
        """Return those products (path, bytes, digest) that are missing or have another size, and what is wrong."""
        ...

    def unproven(self, products: Sequence[tuple[str, int, str]]) -> Mapping[str, str]:
        """Return those products that have other bytes than their digests say; make the others durable."""
        ...

    def unsaid(self, life: Life, paths: Sequence[str], *, heard: int | None) -> Sequence[str]:
        """Return those paths, below the campaign's folder, at which lies what a dead life may have published without a word.

        `heard`: bytes of its event file that are all, if no more are there; None: its last ones may be lost.
        """
        ...

    def runner_log(self, token: str) -> str:
        """Return the messages of a runner, or of the script that starts it, outside of tasks."""
        ...

    def remove_leftovers(self, token: str, elements: Sequence[int], is_kept: Callable[[str], bool]) -> None:
        """Remove what killed runners left beside products and in scratch, but for scratch folders that are kept."""
        ...

    def pack(self, token: str, record: bytes = b"") -> None:
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


class ClusterJobs(JobSite, Protocol):
    """A place with a scheduler: jobs are arrays, and whether they run is its to say.

    Whatever is no valid answer raises QueryFailed, or another SiteError, and changes nothing.
    """

    @property
    def site(self) -> Site:
        """What the definition says of it."""
        ...

    @site.setter
    def site(self, site: Site) -> None:
        """Take the limits of a newer definition."""
        ...

    @property
    def far(self) -> FarFolder | None:
        """The campaign's folder there, where it is another one."""
        ...

    @property
    def view(self) -> View:
        """How tasks there see the campaign's folder; `~` in it is the home there."""
        ...

    @property
    def root_there(self) -> Path:
        """The folder where tasks run."""
        ...

    @property
    def scheduler(self) -> Scheduler:
        """What speaks its scheduler's language."""
        ...

    @property
    def took_s(self) -> float:
        """How many seconds the last answer took: a slow scheduler is asked more rarely."""
        ...

    def event_files(self, tokens: Collection[str]) -> Sequence[Life]:
        """Return the event files of these jobs, one for each life that began."""
        ...

    def place_job(self, request: Request, spec: bytes, tasks: bytes, lists: Mapping[str, bytes]) -> None:
        """Write all that a job reads, its script last."""
        ...

    def draft(self, request: Request) -> tuple[Sequence[str], str]:
        """Return the command and the script that a request would be submitted with."""
        ...

    def submit(self, request: Request) -> str:
        """Submit a placed job and return its native id; raises SubmitRejected, SiteFull, or QueryFailed if nobody knows."""
        ...

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Return the native ids of jobs that are known by these names."""
        ...

    def queue(self, jobs: Sequence[Known]) -> Sequence[Sighting]:
        """Return where jobs stand."""
        ...

    def history(self, jobs: Sequence[Known]) -> Sequence[Sighting]:
        """Return how jobs ended."""
        ...

    def cancel(self, job: Known, elements: Sequence[int] | None = None) -> Reply:
        """Cancel some elements of a job, or all."""
        ...

    def limits(self) -> Limits:
        """Return what the scheduler allows."""
        ...
