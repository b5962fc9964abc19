"""Publishing: what a folder lacks is sent and verified, what we put there before is replaced, all else is left alone.

Of each group first what is to change is written down there, then it is changed, then the manifest is written. So after a
kill anywhere the next one knows every file that may be ours, and no lock is needed: what two write at once is the same, or
else belongs to different groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple

from penstock.campaign import Campaign
from penstock.closing.seals import sha256
from penstock.display import count
from penstock.errors import PenstockError
from penstock.outputs import MANIFESTS, Publication
from penstock.publishing.deciding import Decision, decide, in_the_way, sizes_asked
from penstock.publishing.index import MARK, PAGE
from penstock.publishing.manifest import (
    LIST,
    MANIFEST,
    NEXT,
    Entry,
    list_of,
    read_manifest,
    write_manifest,
)
from penstock.publishing.pages import folders_of, seen_in, write_pages
from penstock.publishing.place import explained, open_place, place_of
from penstock.publishing.wanted import Item, Part, Wanted, not_as_recorded
from penstock.runner.below import Found
from penstock.runner.blocks import draft_of
from penstock.runner.digests import digest_file
from penstock.transports.protocol import Copy, Transport, read_whole

Say = Callable[[str], None]
MODE = 0o644
SHOWN = 3  # reasons that are told at once


@dataclass(frozen=True, slots=True)
class Published:
    """What came of publishing one group: paths, and the digest of its manifest; `refused` in a dry run only."""

    group: str
    manifest: str
    sha256: str
    bytes: int
    sent: list[str]
    kept: list[str]
    removed: list[str]
    refused: list[str] = field(default_factory=list[str])


def silent(_: str) -> None:
    """Say nothing."""


def publish_parts(
    campaign: Campaign, publication: Publication, parts: Wanted, *, dry: bool = False, say: Say = silent
) -> Iterator[Published]:
    """Put what is wanted at its place; yield what came of each part that has anything there.

    What is asked again is done again as far as it is missing. Raises PenstockError for what is there and not ours, for a
    product that changed, and where the place cannot be reached.
    """
    place = place_of(campaign, publication)
    way = open_place(campaign, publication)
    with explained(place):
        all_parts = [*parts.parts, *leftover(way, campaign, publication, parts)]
        everything = frozenset(chain.from_iterable(part.items for part in all_parts))
        putting = Putting(campaign, publication, place, everything, dry, say)
        for part in all_parts:
            found = put(way, putting, part)
            if found is not None:
                yield found
        if not dry:
            write_pages(way, sorted(putting.folders))
            way.remove(putting.over)


@dataclass(frozen=True, slots=True)
class Putting:
    """What is the same for all parts of one publishing."""

    campaign: Campaign
    publication: Publication
    place: str
    everything: frozenset[str]  # that is wanted of all parts
    dry: bool
    say: Say
    folders: set[str] = field(default_factory=set[str])  # whose pages may change
    over: list[str] = field(default_factory=list[str])  # manifests that are not needed after that


class Before(NamedTuple):
    """What is known of a part there: its manifest, whether a change was cut off, and all files that may be ours."""

    manifest: bytes | None
    is_cut: bool
    entries: set[Entry]


class Change(NamedTuple):
    """What is to be done for a part, and what its manifest will be."""

    part: Part
    before: Before
    send: list[str]
    removed: list[str]
    entries: list[Entry]
    about: dict[str, str]


def put(way: Transport, putting: Putting, part: Part) -> Published | None:
    """Publish one part; None if nothing is wanted of it, and nothing of it is there."""
    before = read_before(way, part.name)
    if not (part.items or before.entries):
        return None
    before, decision = look(way, part, before)
    if decision.refused and not putting.dry:
        raise refusal(putting.place, part.group, decision.refused)
    removed = [path for path in decision.remove if path not in putting.everything]
    if removed:
        elsewhere = listed_elsewhere(way, part.name)
        removed = [path for path in removed if path not in elsewhere]
    entries = [
        Entry(path, item.size, item.digest, path not in decision.found) for path, item in part.items.items()
    ]
    about = {"campaign": putting.campaign.name, "publication": putting.publication.name}
    change = Change(
        part, before, decision.send, removed, entries, {**about, "level": part.level, "group": part.group}
    )
    manifest = write_manifest(change.about, entries)
    if not putting.dry:
        make(way, putting, change, manifest)
    return Published(
        part.group, f"{part.name}{MANIFEST}", sha256(manifest), sum(entry.size for entry in entries),
        decision.send, decision.kept, removed, decision.refused,
    )  # fmt: skip


def look(way: Transport, part: Part, before: Before) -> tuple[Before, Decision]:
    """Look at what is there, and decide.

    What somebody else publishes meanwhile of the same part is seen after it was written down: so the manifests are read
    again for what nobody is known to have put there.
    """
    asked = sizes_asked(part.items, before.entries)
    own = {f"{part.name}{end}": set[int]() for end in (NEXT, LIST, MANIFEST)}
    found = dict(zip([*own, *asked], way.find([*own.items(), *asked.items()]), strict=True))
    without_pages(way, part, found)
    decision = decide(part.items, before.entries, found)
    if decision.found or decision.refused:
        before = before._replace(entries=before.entries | read_before(way, part.name).entries)
        decision = decide(part.items, [e for e in before.entries if e.path in found], found)
    decision.refused.extend(dict.fromkeys(filter(None, (in_the_way(found[name], name) for name in own))))
    return before, decision


def without_pages(way: Transport, part: Part, found: dict[str, Found]) -> None:
    """Take a page of ours for nothing where a product of its name is to be."""
    for path, item in part.items.items():
        if (
            path.rpartition("/")[2] == PAGE
            and found[path].kind == "a file"
            and found[path].digest != item.digest
        ):
            data = read_whole(way, path)
            if data is not None and data.startswith(MARK):
                found[path] = Found("", path)


def make(way: Transport, putting: Putting, change: Change, manifest: bytes) -> None:
    """Write down what is to change, send and verify, write the manifest, and remove what is no longer wanted."""
    part, before = change.part, change.before
    names = {end: f"{part.name}{end}" for end in (NEXT, LIST, MANIFEST)}
    if change.send or change.removed:
        way.write({names[NEXT]: write_manifest(change.about, {*before.entries, *change.entries})})
    if change.send:
        send(way, putting, {path: part.items[path] for path in change.send})
    if change.entries and before.manifest != manifest:
        way.write({names[LIST]: list_of(change.entries), names[MANIFEST]: manifest})
    if gone := [*change.removed, *drafts_of(before.entries, part)]:
        way.remove(gone)
        refuse_stubborn(way, putting.place, change.removed)
    putting.folders.update(folders_of([*part.items, *(entry.path for entry in before.entries)]))
    if not change.entries:
        putting.over.extend(names.values())
    elif change.send or change.removed or before.is_cut:
        putting.over.append(names[NEXT])


def refuse_stubborn(way: Transport, place: str, removed: Sequence[str]) -> None:
    """Raise PenstockError for what could not be removed."""
    for there in way.find([(path, ()) for path in removed]):
        if there.kind == "a file":
            raise PenstockError(
                f"{place}/{there.at} is no longer wanted and cannot be removed: remove it, then publish again"
            )


def send(way: Transport, putting: Putting, items: dict[str, Item]) -> None:
    """Send files and have them read again there; raises PenstockError for one that is not as it was recorded."""
    size = sum(item.size for item in items.values())
    putting.say(f"sending {count(len(items), 'file')} ({size:,} bytes) to {putting.place}")
    copies = [Copy(path, item.source, item.size, item.digest, MODE) for path, item in items.items()]
    try:
        way.send(copies)
    except OSError:
        for copy in copies:
            refuse_changed(putting, copy)
        raise
    if wrong := way.check([(copy.name, copy.size, copy.digest) for copy in copies]):
        path, why = next(iter(wrong.items()))
        raise PenstockError(f"{putting.place}/{path} {why}: publish again")


def refuse_changed(putting: Putting, copy: Copy) -> None:
    """Raise PenstockError for a product that changed since it was made."""
    try:
        same = digest_file(str(copy.path)) == (copy.size, copy.digest)
    except OSError:
        same = False
    if not same:
        raise not_as_recorded(str(copy.path.relative_to(putting.campaign.root)))


def refusal(place: str, group: str, why: Sequence[str]) -> PenstockError:
    """Return what stands in the way."""
    more = f"; and {len(why) - SHOWN} more" if len(why) > SHOWN else ""
    reasons = f"{'; '.join(why[:SHOWN])}{more}"
    return PenstockError(
        f"nothing of {group} is published at {place}: {reasons}: move it away, or let `to` name another place"
    )


def drafts_of(before: set[Entry], part: Part) -> list[str]:
    """Return where what was never whole may lie of files that are no longer wanted so."""
    return [
        draft_of(entry.path, entry.digest)
        for entry in before
        if entry.path not in part.items or part.items[entry.path].digest != entry.digest
    ]


# manifests there


def read_before(way: Transport, name: str) -> Before:
    """Return what is known of a part: what we put there, or were about to when we were killed.

    A manifest is written before what was to come is removed, so one of both is seen of what is published meanwhile.
    """
    cut, manifest = (read_whole(way, f"{name}{end}") for end in (NEXT, MANIFEST))
    entries = set[Entry]()
    for end, data in ((MANIFEST, manifest), (NEXT, cut)):
        if data is not None:
            entries.update(read_manifest(data, f"{way.folder}/{name}{end}"))
    return Before(manifest, cut is not None, entries)


def manifests_in(way: Transport, folder: str) -> Iterator[str]:
    """Yield the names of the parts that have something in a folder or below it, without an end."""
    folders = [folder]
    while folders:
        listed = way.list(folders)
        folders = list[str]()
        for above, names in listed.items():
            for name, entry in seen_in(names).items():
                path = f"{above}/{name}"
                if entry.is_folder:
                    folders.append(path)
                elif name.endswith((MANIFEST, NEXT)):
                    yield path.rpartition(".")[0]


def leftover(way: Transport, campaign: Campaign, publication: Publication, parts: Wanted) -> list[Part]:
    """Return what was published of units in these groups that are no longer there, as parts that want nothing."""
    own = f"{MANIFESTS}/{campaign.name}/{publication.name}"
    named = {part.name for part in parts.parts}
    found = list[Part]()
    for name in sorted({*manifests_in(way, own)} - named):
        level, _, group = name.removeprefix(f"{own}/").partition("/")
        above = campaign.levels.index(level) + 1 if level in campaign.levels else 0
        if any(is_in(campaign, above, group, part) for part in parts.asked):
            found.append(Part(level, group, name))
    return found


def is_in(campaign: Campaign, level: int, group: str, part: Part) -> bool:
    """Whether a group, by its level and name, is in that of a part."""
    if part.level not in campaign.levels:
        return True
    return level > campaign.levels.index(part.level) + 1 and group.startswith(f"{part.group}/")


def listed_elsewhere(way: Transport, name: str) -> set[str]:
    """Return the paths that other manifests there list: whatever one says, what another needs stays."""
    others = [other for other in {*manifests_in(way, MANIFESTS)} if other != name]
    return {entry.path for other in others for entry in read_before(way, other).entries}
