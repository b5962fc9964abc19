"""What is left of jobs in their folders and archives: from that a lost record is rebuilt."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from penstock.ledger.archive import JOB
from penstock.ledger.excerpt import EXCERPT, read_excerpt
from penstock.runner.files import archive_of, damages
from penstock.runner.sealed import unseal
from penstock.site.folders import EVENTS, SPEC, TASKS
from penstock.site.tasksfile import read_feed
from penstock.transports.protocol import Transport, read_whole

WANTED = re.compile(rf"{re.escape(SPEC)}|{re.escape(TASKS)}|{re.escape(EXCERPT)}|{EVENTS.pattern}")


@dataclass(slots=True)
class Remains:
    """The files of one job; `excerpt`: what the record had of it when it was over, which says all."""

    token: str
    site: str
    packed: bool = False
    spec: Mapping[str, Any] = field(default_factory=dict[str, Any])
    batches: list[list[dict[str, Any]]] = field(default_factory=list[list[dict[str, Any]]])
    events: dict[tuple[int, int], bytes] = field(default_factory=dict[tuple[int, int], bytes])
    """Event files by element and life."""
    excerpt: Mapping[str, Any] | None = None
    damage: list[str] = field(default_factory=list[str])

    @property
    def intent(self) -> Mapping[str, Any]:
        """What was recorded of the job before it was started; nothing, of one that an older penstock made."""
        return self.spec.get("job") or {}


def tokens_at(transport: Transport) -> list[str]:
    """Return the jobs of which a folder or an archive is there."""
    names = transport.list([""]).get("", {})
    return sorted({match[1] for match in map(JOB.fullmatch, names) if match})


def read_remains(transport: Transport, token: str, site: str) -> Remains:
    """Read what is left of a job: its archive, or the folder where that is not whole."""
    found = Remains(token, site)
    files = read_archive(transport, found)
    found.packed = files is not None
    files = read_folder(transport, token) if files is None else files
    found.spec = unseal(files.get(SPEC, b"")) or {}
    if EXCERPT in files:
        found.excerpt = read_excerpt(files[EXCERPT])
        if found.excerpt:
            return found
        found.damage.append(f"{transport.folder / token}: what the record held of this job is damaged")
    if not found.spec:
        found.damage.append(f"{transport.folder / token}: its {SPEC} is missing or damaged")
    feed = read_feed(files.get(TASKS, b""))
    found.batches = [[json.loads(line) for line in batch.splitlines()] for batch in feed.batches]
    if feed.damage:
        found.damage.append(f"{transport.folder / token / TASKS} {feed.damage}")
    found.events = {
        (int(match[1]), int(match[2])): data
        for name, data in files.items()
        if (match := EVENTS.fullmatch(name))
    }
    return found


def read_archive(transport: Transport, found: Remains) -> dict[str, bytes] | None:
    """Return those files in a job's archive that are wanted; None if there is none, or it is damaged."""
    from zipfile import ZipFile

    name = archive_of(found.token)
    data = read_whole(transport, name)
    if data is None:
        return None
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            return {one: archive.read(one) for one in archive.namelist() if WANTED.fullmatch(one)}
    except damages() as error:
        found.damage.append(f"{transport.folder / name} is damaged ({error})")
        return None


def read_folder(transport: Transport, token: str) -> dict[str, bytes]:
    """Return those files in a job's folder that are wanted."""
    names = [name for name in transport.list([token]).get(token, {}) if WANTED.fullmatch(name)]
    found = ((name, read_whole(transport, f"{token}/{name}")) for name in names)
    return {name: data for name, data in found if data is not None}
