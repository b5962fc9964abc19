"""A cluster on whose login node we are: its scheduler's commands, and job folders that its nodes see."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from penstock.campaign import Resources, Site, Stage
from penstock.clock import Clock, SystemClock
from penstock.errors import DefinitionError, QueryFailed, SubmitRejected
from penstock.ledger import FOLDER
from penstock.rendering import View
from penstock.schedulers import find_scheduler
from penstock.schedulers.model import Known, Limits, Request, Scheduler, Sighting
from penstock.site.environments import python_at
from penstock.site.evidence import Product, look_again
from penstock.site.far import OWNER, FarFolder
from penstock.site.folders import SCRIPT, SPEC, TASKS, WORDS, JobFolders
from penstock.site.protocols import Life
from penstock.site.script import Digests, job_script
from penstock.site.tasksfile import product_folders
from penstock.transports import find_transport
from penstock.transports.protocol import Entry, Transport, at_home
from penstock.transports.reply import Reply

Job = TypeVar("Job", Known, Request)

PYTHON = "python3"
ARCHIVE = re.compile(r"p[a-z0-9]+\.zip")
LATE_S, LOOK_S = 3.0, 0.5  # that a product which is not seen is waited for, once for all that end together
SUBMIT_S, ASK_S = 120.0, 90.0  # a Slurm whose controller is down answers after 58 s

#: what a scheduler's commands are told of our environment; nothing else of a login shell reaches a job
PASSED = frozenset(
    (
        "PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "KRB5CCNAME",
        "SLURM_CONF", "SLURM_CONF_SERVER",
        "PBS_CONF_FILE", "PBS_SERVER", "PBS_DEFAULT", "PBS_HOME", "PBS_EXEC",
        "SGE_ROOT", "SGE_CELL", "SGE_CLUSTER_NAME", "SGE_QMASTER_PORT", "SGE_EXECD_PORT",
        "LSF_ENVDIR", "LSF_SERVERDIR", "LSF_LIBDIR", "LSF_BINDIR", "EGO_TOP", "EGO_CONFDIR",
    )
)  # fmt: skip


class ClusterSite(JobFolders):
    """A cluster's login node."""

    LAST = SCRIPT

    def __init__(
        self,
        site: Site,
        root: Path,
        *,
        scheduler: Scheduler | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(transport or find_transport(site.transport)(site, folder_of(site, root)), root)
        self.site, self.clock = site, clock or SystemClock()
        mapped = View(root, paths=site.paths).shared(root)
        travels = not site.shared_files and mapped is None
        self.far = FarFolder(site, root, self.transport, mark_of(root)) if travels else None
        """The campaign's folder there, where it is another one that files travel to."""
        self.view = self.far.view if self.far else View(Path(mapped or root))
        """How tasks there see the campaign's folder; `~` in it is the home there."""
        self.scheduler = scheduler or find_scheduler(site.scheduler)
        refuse_keys(site, self.scheduler)
        self.took_s = 0.0
        """Seconds that the last answer took: a slow scheduler is asked more rarely."""

    @property
    def name(self) -> str:
        """The name that the definition gives it."""
        return self.site.name

    def environment(self) -> Mapping[str, str]:
        """Return what is set for every task."""
        return self.site.environment

    @property
    def root_there(self) -> Path:
        """The folder where tasks run."""
        return at_home(self.view.root, self.transport)

    def leave(self) -> None:
        """Remove the folders there, as far as they are empty."""
        if self.far:
            self.far.folder.leave()
        self.transport.leave()

    def check_owner(self) -> None:
        """Raise Held when the campaign's folder there belongs to another machine's campaign."""
        if self.far:
            self.far.check_owner()

    def look(
        self, folders: Collection[str], offsets: Mapping[str, int]
    ) -> tuple[Mapping[str, Mapping[str, Entry]], dict[str, bytes]]:
        """List and read files of jobs, and raise Held when they are another machine's by now."""
        if not self.far:
            return super().look(folders, offsets)
        listed, found = super().look(folders, {OWNER: 0, **offsets})
        self.far.is_ours(found.pop(OWNER, None))
        return listed, found

    def pack(self, token: str, record: bytes = b"") -> None:
        """Pack the files of a finished job into one, which comes home if files travel."""
        super().pack(token, record)
        if self.far:
            self.far.bring_archive(f"{token}.zip")

    def unpacked(self) -> Sequence[str]:
        """Return the jobs of which something is still there."""
        names = self.transport.list([""]).get("", {}) if self.far else ()
        return [*super().unpacked(), *(name[:-4] for name in names if ARCHIVE.fullmatch(name))]

    def remove_leftovers(self, token: str, elements: Sequence[int], is_kept: Callable[[str], bool]) -> None:
        """Remove what killed runners left beside products and in scratch, but for what is kept."""
        if not self.far:
            super().remove_leftovers(token, elements, is_kept)
            return
        tags = [f"{token}.{element}" for element in elements]
        self.far.remove_leftovers(product_folders(self.fed(token)), tags, is_kept)

    def unsaid(self, life: Life, paths: Sequence[str], *, heard: int | None) -> Sequence[str]:
        """Return those paths here at which lies what a life may have published: none, where products come home later."""
        return [] if self.far else super().unsaid(life, paths, heard=heard)

    def misfits(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return products that are missing or have another size; what a node just made may appear late."""
        wrong, waited = self.misfits_now(products), 0.0
        while wrong and waited < LATE_S:
            if not self.far:
                look_again(self.root, wrong)
            self.clock.sleep(LOOK_S if waited else 0.0)
            waited += LOOK_S
            wrong = self.misfits_now([product for product in products if product[0] in wrong])
        return wrong

    def misfits_now(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return products that are missing or have another size by a first look."""
        return self.far.misfits(products) if self.far else super().misfits(products)

    def unproven(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return products that have other bytes than their digests say; make the others durable."""
        return self.far.unproven(products) if self.far else super().unproven(products)

    def place_job(self, request: Request, spec: bytes, tasks: bytes, lists: Mapping[str, bytes]) -> None:
        """Write all that a job reads; the script comes last, so if it exists, the rest does."""
        files = {**lists, TASKS: tasks, SPEC: spec}
        text = self.script(request, Digests.of(spec, tasks), self.put_runner())
        self.place(request.token, {**files, SCRIPT: text.encode()})

    def script(self, request: Request, digests: Digests, runner: Path) -> str:
        """Return the script of a job, as it is submitted."""
        return self.script_in(self.folder, self.root_there, request, digests, runner)

    def script_in(self, jobs: Path, root: Path, request: Request, digests: Digests, runner: Path) -> str:
        """Return the script of a job whose folder is in `jobs`, and whose tasks run in `root`."""
        folder, site = jobs / request.token, replace(self.site, python=python_at(self.root, self.site))
        return job_script(
            self.scheduler.directives(self.named(request), site), site, root=root, folder=folder, runner=runner,
            words=folder / WORDS, digests=digests,
        )  # fmt: skip

    def draft(self, request: Request) -> tuple[Sequence[str], str]:
        """Return the command and the script that a request would be submitted with; nothing is asked there."""
        jobs = folder_of(self.site, self.root)
        script = self.script_in(jobs, self.view.root, request, Digests("…", "…"), jobs / "runner-….pyz")
        path = str(jobs / request.token / SCRIPT)
        return self.scheduler.submit(path, self.named(request), self.site), script

    def submit(self, request: Request) -> str:
        """Submit a placed job; raises SubmitRejected, SiteFull, or QueryFailed when it is unknown whether it was accepted."""
        script = str(self.job_folder(request.token) / SCRIPT)
        reply = self.ask(self.scheduler.submit(script, self.named(request), self.site), SUBMIT_S)
        return self.scheduler.parse_submit(reply)

    def queue(self, jobs: Sequence[Known]) -> list[Sighting]:
        """Ask for the states of jobs; raises QueryFailed."""
        known = [self.named(job) for job in jobs]
        return self.tokens_of(self.scheduler.parse_queue(self.ask(self.scheduler.queue(known)), known))

    def history(self, jobs: Sequence[Known]) -> list[Sighting]:
        """Ask how jobs ended; raises QueryFailed, also where no history is kept."""
        known = [self.named(job) for job in jobs]
        argv = self.scheduler.history(known)
        if argv is None:
            raise QueryFailed(f"site '{self.name}': {self.site.scheduler} keeps no history of its own")
        return self.tokens_of(self.scheduler.parse_history(self.ask(argv), known))

    def find(self, tokens: Sequence[str]) -> Mapping[str, str]:
        """Ask for jobs by their names; raises QueryFailed."""
        names = {f"{self.site.name_prefix}{token}": token for token in tokens}
        found = self.scheduler.parse_find(self.ask(self.scheduler.find([*names])), [*names])
        return {names[name]: native for name, native in found.items()}

    def cancel(self, job: Known, elements: Sequence[int] | None = None) -> Reply:
        """Cancel some elements of a job, or all."""
        return self.ask(self.scheduler.cancel(self.named(job), elements))

    def named(self, job: Job) -> Job:
        """Return a job, or a request for one, under its name at the site."""
        return replace(job, token=f"{self.site.name_prefix}{job.token}") if self.site.name_prefix else job

    def tokens_of(self, sightings: list[Sighting]) -> list[Sighting]:
        """Return sightings under the names that jobs have here."""
        prefix = self.site.name_prefix
        return [replace(s, token=s.token.removeprefix(prefix)) for s in sightings] if prefix else sightings

    def limits(self) -> Limits:
        """Ask what the scheduler allows; raises QueryFailed."""
        return self.scheduler.parse_limits(self.ask(self.scheduler.limits()))

    @property
    def where(self) -> str:
        """Where its commands run, for a sentence."""
        return f"at {self.site.host}" if self.site.host else "here"

    def ask(self, argv: Sequence[str], timeout_s: float = ASK_S) -> Reply:
        """Run one command of the scheduler; one that is a Python program is run by the site's own Python."""
        if argv[0] == PYTHON and self.site.python:
            argv = [str(at_home(Path(self.site.python), self.transport)), *argv[1:]]
        begun = self.clock.monotonic()
        try:
            return self.transport.run(
                argv, cwd=self.cwd, environment=self.command_environment(), timeout_s=timeout_s
            )
        except FileNotFoundError as error:
            raise SubmitRejected(f"site '{self.name}': {self.what_is_missing(argv[0], error)}") from error
        except OSError as error:
            about = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
            raise QueryFailed(f"site '{self.name}': `{argv[0]}` cannot be run ({about})") from error
        finally:
            self.took_s = self.clock.monotonic() - begun

    @property
    def cwd(self) -> Path:
        """Where a scheduler's commands run: a home is there before anything else."""
        return Path(self.transport.environment["HOME"]) if self.far else self.root

    def what_is_missing(self, program: str, error: FileNotFoundError) -> str:
        """Say what was not found: the program, or the folder in which it was to run."""
        if not self.far and str(error.filename or "").endswith(str(self.root)):
            return (
                f"there is no folder {self.root} {self.where}: remove `shared_files = true`, and files travel"
            )
        return f"there is no `{program}` {self.where}: correct its `scheduler` or `commands`, or log in where it is"

    def command_environment(self) -> dict[str, str]:
        """Return the environment of a scheduler's command, and so the most of a login's that a job can see."""
        kept = {name: value for name, value in self.transport.environment.items() if name in PASSED}
        if self.site.commands:
            commands = at_home(self.site.commands, self.transport)
            kept["PATH"] = f"{commands}{os.pathsep}{kept.get('PATH', os.defpath)}"
        return kept


def refuse_keys(site: Site, scheduler: Scheduler) -> None:
    """Refuse keys that a scheduler does not support, and raw lines that would hide a job from us."""
    for key in getattr(scheduler, "UNSUPPORTED", ()):
        if getattr(site, key, None):
            raise DefinitionError(
                f"site '{site.name}': {site.scheduler} has no `{key}`: remove it, or {otherwise(scheduler)}"
            )
    reserved = getattr(scheduler, "RESERVED", None)
    if reserved and (found := re.search(rf"(?<!\S)(?:{reserved})(?=[\s=]|$)", "\n".join(site.lines))):
        raise DefinitionError(
            f"site '{site.name}': a job with `{found[0]}` in `lines` would not be found again: remove it"
        )


def refuse_resources(stage: Stage, site: Site, scheduler: Scheduler) -> None:
    """Refuse what a stage requests when the scheduler of its site does not support it."""
    usual = Resources()
    for key in getattr(scheduler, "UNSUPPORTED", ()):
        asked, plain = getattr(stage.resources, key, None), getattr(usual, key, None)
        if asked != plain:
            word = {"gpu_type": "type of `gpus`"}.get(key, f"`{key.removesuffix('_bytes')}`")
            raise DefinitionError(
                f"stage '{stage.name}': {site.scheduler} has no {word}: remove it from `resources`, and {otherwise(scheduler)}"
                f" of [site.{site.name}]"
            )


def otherwise(scheduler: Scheduler) -> str:
    """Return how to say what a scheduler has no key for."""
    if "lines" in getattr(scheduler, "UNSUPPORTED", ()):
        return "run what needs it elsewhere, instead"
    return "use the scheduler's own words in `lines`"


def folder_of(site: Site, root: Path) -> Path:
    """Return where a site's job folders are: beside the campaign, or in the workdir under a name that no other campaign has."""
    if site.workdir is None:
        return root / FOLDER / "jobs"
    return site.workdir / mark_of(root) / "jobs"


def mark_of(root: Path) -> str:
    """Return a name for a campaign that no other one of this machine has."""
    mark = hashlib.sha256(str(root).encode()).hexdigest()[:8]
    return f"{root.name.lstrip('.')[:100]}-{mark}"
