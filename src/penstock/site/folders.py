"""The job folders of one site, through its transport: what jobs are given, and what they tell."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from penstock.errors import LedgerError
from penstock.ledger.excerpt import EXCERPT
from penstock.runner.scratch import remove_scratch
from penstock.runner.sealed import seal, unseal
from penstock.site.evidence import Product, misfits, unproven
from penstock.site.leftovers import may_be_of, remove_leftovers, scratch_of
from penstock.site.protocols import Life, Task
from penstock.site.script import script_damage
from penstock.site.tasksfile import product_folders, read_feed
from penstock.transports.protocol import Entry, Transport, read_whole

TASKS, SPEC, SCRIPT, WORDS = "tasks.jsonl", "spec.json", "script.sh", "runner.log"
WORDS_BYTES = 65_536  # of what a runner said; several elements with one traceback fit
UNSAID_S = 60.0  # that an event file's time may be ahead of its last lines, which wait in a cache
EVENTS = re.compile(r"(\d+)\.(\d+)\.jsonl")
ALL = seal(json.dumps({"all": True, "tasks": []}).encode())

INTACT = dict[Path, Entry]()
"""Runners that were read and found whole."""


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
    """What lies in the job folders of one site: what jobs are given, and what they tell.

    `root` is the folder of the campaign, with the products.
    """

    LAST = SPEC
    """What is written last of all that a job reads."""

    def __init__(self, transport: Transport, root: Path) -> None:
        self.transport, self.root = transport, root

    @property
    def folder(self) -> Path:
        """The folder that has those of jobs."""
        return self.transport.folder

    def job_folder(self, token: str) -> Path:
        """Return the folder of a job."""
        return self.folder / token

    def check_owner(self) -> None:
        """Raise Held when the folders are those of another machine's campaign, which cannot be where folders are shared."""

    def place(self, token: str, files: Mapping[str, bytes]) -> Path:
        """Give a job these files, each whole or not there, in their order."""
        folder = self.job_folder(token)
        with writing(folder):
            self.transport.write({f"{token}/{name}": data for name, data in files.items()})
        return folder

    def put_runner(self) -> Path:
        """Put the runner where every job finds it, unless it is there as it should be; return its path."""
        from penstock.runner.build import build_zip, is_intact, read_sources, runner_name

        sources = read_sources()
        name = runner_name(sources)
        path, found = self.folder / name, self.transport.list([""]).get("", {}).get(name)
        if found is None or found != INTACT.get(path):
            if not is_intact(read_whole(self.transport, name) or b"", sources):
                self.write_runner(name, build_zip(sources))
            INTACT[path] = self.transport.list([""])[""][name]
        return path

    def write_runner(self, name: str, data: bytes) -> None:
        """Write the runner in place of what is damaged, or no file at all."""
        with writing(self.folder):
            self.transport.remove([name])
            self.transport.write({name: data})

    def is_placed(self, token: str) -> bool:
        """Whether all that a job reads is there."""
        return bool(self.transport.read({f"{token}/{self.LAST}": 0}))

    def fed(self, token: str) -> bytes:
        """Return all tasks that were ever given to a job."""
        return read_whole(self.transport, f"{token}/{TASKS}") or b""

    def damage(self, token: str) -> Mapping[str, str]:
        """Return the files of a job that are not as they were written, and what is wrong with each."""
        there, found = self.transport.list([token]).get(token, {}), dict[str, str]()
        for name, what in ((SPEC, spec_damage), (TASKS, feed_damage), (SCRIPT, script_damage)):
            path = f"{token}/{name}"
            if name in there and (why := what(read_whole(self.transport, path))):
                found[name] = f"{self.folder / path} {why}"
        return found

    def set_aside(self, token: str, name: str) -> None:
        """Keep a damaged file of a job under another name."""
        path = f"{token}/{name}"
        with suppress(OSError):
            self.transport.write({f"{path}.damaged": read_whole(self.transport, path) or b""})
            self.transport.remove([path])

    def revoke(self, token: str, tasks: Mapping[int, Sequence[Task]]) -> None:
        """Tell elements which tasks, by stage and unit, they must not go on with; what was revoked stays revoked."""
        files = {element: f"{token}/{element}.revoked" for element in tasks}
        found = self.transport.read(dict.fromkeys((f"{token}/{SPEC}", *files.values()), 0))
        if f"{token}/{SPEC}" not in found:
            return
        drafts = {path: revocation(found.get(path), tasks[element]) for element, path in files.items()}
        with writing(self.job_folder(token)):
            self.transport.write({path: text for path, text in drafts.items() if text})

    def revoke_all(self, token: str) -> None:
        """Revoke all tasks of every element of a job."""
        text = read_whole(self.transport, f"{token}/{SPEC}")
        if text is None:
            return
        spec = unseal(text)
        begun = (element for _, element, _ in self.event_files([token]))
        most = spec["elements"] if spec else max(begun, default=1)
        with writing(self.job_folder(token)):
            self.transport.write({f"{token}/{element}.revoked": ALL for element in range(1, most + 1)})

    @property
    def root_there(self) -> Path:
        """The folder where tasks run."""
        return self.root

    def is_of_campaign(self, token: str) -> bool:
        """Whether a job is one of this campaign, as far as that is known."""
        spec = unseal(read_whole(self.transport, f"{token}/{SPEC}") or b"")
        return bool(spec) and spec.get("root") == str(self.root_there)

    def event_files(self, tokens: Collection[str]) -> list[Life]:
        """Return the event files of these jobs."""
        return event_files_in(self.transport.list(tokens))

    def new_events(
        self, known: Mapping[Life, int | None], tokens: Collection[str] = ()
    ) -> Mapping[Life, bytes]:
        """Return what event files have after these offsets, and from the beginning those of `tokens` that are not known."""
        offsets = {life: offset for life, offset in known.items() if offset is not None}
        names = {life: event_file(life) for life in offsets}
        listed, found = self.look(tokens, {names[life]: at for life, at in offsets.items()})
        if new := {life: event_file(life) for life in event_files_in(listed) if life not in known}:
            found |= self.transport.read(dict.fromkeys(new.values(), 0))
        return {life: found[name] for life, name in (names | new).items() if name in found}

    def look(
        self, folders: Collection[str], offsets: Mapping[str, int]
    ) -> tuple[Mapping[str, Mapping[str, Entry]], dict[str, bytes]]:
        """List folders of jobs and read files from these offsets on, by one question."""
        return self.transport.look(folders, offsets)

    def misfits(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return those products that are missing or have another size, and what is wrong."""
        return misfits(self.root, products)

    def unproven(self, products: Sequence[Product]) -> Mapping[str, str]:
        """Return those products that have other bytes than their digests say; make the others durable."""
        return unproven(self.root, products)

    def unsaid(self, life: Life, paths: Sequence[str], *, heard: int | None) -> Sequence[str]:
        """Return those paths at which lies what a life may have published since the last of its lines that is there.

        Times are those of file servers alone: of the event file, of what was reserved for its end when it began, of the
        product, and of the folder that this came from.
        """
        token, element, number = life
        there = self.transport.list([token]).get(token, {})
        events, reserve = (there.get(f"{element}.{number}.{kind}") for kind in ("jsonl", "reserve"))
        if events is None or events.size == heard:
            return []
        since = max(events.mtime_s - UNSAID_S, reserve.mtime_s if reserve else 0.0)
        tag = f"{token}.{element}.{number}"
        return [path for path in paths if may_be_of(self.root / path, tag, since)]

    def runner_log(self, token: str) -> str:
        """Return the runner's own messages, if any."""
        said = self.transport.read({f"{token}/{WORDS}": 0}).get(f"{token}/{WORDS}", b"")
        return said[:WORDS_BYTES].decode(errors="replace").strip()

    def remove_leftovers(self, token: str, elements: Sequence[int], is_kept: Callable[[str], bool]) -> None:
        """Remove what killed runners left beside products and in scratch, but for scratch folders that are kept."""
        remove_leftovers(self.root, product_folders(self.fed(token)), token, elements)
        for path in scratch_of(self.root, token, elements):
            if not is_kept(path.name):
                remove_scratch(str(path))

    def pack(self, token: str, record: bytes = b"") -> None:
        """Pack the files of a finished job into one, with what the record holds of it; without room they stay."""
        if record:
            try:
                self.transport.write({f"{token}/{EXCERPT}": record})
            except OSError:
                return
        self.transport.pack(token)

    def unpacked(self) -> Sequence[str]:
        """Return the jobs whose folders exist: active ones, and those that a crash left behind."""
        names = self.transport.list([""]).get("", {})
        tokens = [name for name in names if name.startswith("p")]
        return [token for token in tokens if (entry := names.get(token)) and entry.is_folder]

    def remove_drafts(self) -> None:
        """Remove the files that a killed conductor began to write and never named."""
        names = self.transport.list([""]).get("", {})
        self.transport.remove([name for name in names if name.startswith(".")])


def event_file(life: Life) -> str:
    """Return the name of an event file."""
    return f"{life[0]}/{life[1]}.{life[2]}.jsonl"


def event_files_in(listed: Mapping[str, Mapping[str, Entry]]) -> list[Life]:
    """Return the event files in the folders of jobs."""
    return sorted(
        (token, int(match[1]), int(match[2]))
        for token, names in listed.items()
        for match in filter(None, map(EVENTS.fullmatch, names))
    )


def revocation(before: bytes | None, tasks: Sequence[Task]) -> bytes | None:
    """Return what to write where some tasks were revoked before; None: that holds these, too."""
    known: dict[str, Any] | None = {"tasks": []} if before is None else unseal(before)
    if known is None:  # damaged: nobody knows what was revoked
        return ALL
    taken = {(stage, unit) for stage, unit in known["tasks"]}
    if known.get("all") or taken.issuperset(tasks):
        return None
    return seal(json.dumps({"tasks": sorted(taken.union(tasks))}).encode())


def spec_damage(data: bytes | None) -> str | None:
    """Return what is wrong with a spec, if anything."""
    return "is damaged" if unseal(data or b"") is None else None


def feed_damage(data: bytes | None) -> str | None:
    """Return what is wrong with a feed, if anything."""
    return "is not a file" if data is None else read_feed(data).damage
