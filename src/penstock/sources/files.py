"""Units from files: found by a pattern, complete when at rest and with their companions."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from math import inf
from stat import S_ISDIR, S_ISREG
from typing import Any

from penstock.campaign import Campaign, FileSource
from penstock.errors import DefinitionError
from penstock.runner.kinds import kind_of
from penstock.sources.found import Found, Problem, ScanState, Shape, Unsettled
from penstock.sources.strangers import Strangers
from penstock.sources.times import Times
from penstock.sources.walk import Folder, Walk, entries, note_unreadable, readable
from penstock.units import Matched, Segment, Value, show_key

Seen = tuple[str, os.stat_result]  # path as written, and what it is
Look = Callable[[], os.stat_result]


def scan_files(source: FileSource, campaign: Campaign, state: ScanState) -> Iterator[Found]:
    """Yield the units of a file source; incomplete ones go to `state.unsettled`."""
    scan = FileScan(source, campaign, state)
    if _key_may_repeat(source, campaign):
        scan.keys = _Keys(scan)
    return scan.units()


def contents_of_files(source: FileSource, campaign: Campaign, state: ScanState) -> str | None:
    """Return a digest of the names, sizes and times of a source's files; None where other files count, too, or for a problem.

    `state` has what a scan would be given, and is used up.
    """
    scan = FileScan(source, campaign, state)
    if not scan.simple:
        return None
    for folder in Walk(source.pattern, campaign.root, state):
        if isinstance(folder, Folder):
            for _ in scan.matched_in(folder):
                pass
    return scan.contents()


def times_of(source: FileSource, campaign: Campaign) -> Times | None:
    """Return new times of a source; None where the units of a folder follow not from its files alone."""
    if source.many or source.companions or _key_may_repeat(source, campaign):
        return None
    return Times("" if source.pattern.absolute else f"{campaign.root}/")


class FileScan:
    """One scan of one file source."""

    def __init__(self, source: FileSource, campaign: Campaign, state: ScanState) -> None:
        self.source, self.campaign, self.state = source, campaign, state
        self.shape = Shape.of(source, campaign)
        self.segment = source.pattern.segments[-1]
        self.excluded = _excluder(source.exclude)
        self.limits: dict[int, float] = {}
        self.keys: _Keys | None = None
        self.names = [name for name in source.pattern.names if name not in source.many]
        self.held: dict[str, tuple[str, dict[str, Any]]] = {}
        self.simple = not (source.many or source.companions or source.partial)
        self.digest = hashlib.sha256()
        self.strangers = Strangers(source, campaign)

    def units(self) -> Iterator[Found]:
        yield from self.groups() if self.source.many else self.singles()
        self.state.problems += self.strangers.problems()
        self.state.contents = self.contents()

    def contents(self) -> str | None:
        """Return a digest of all files, unless some were not seen, more than they count or something was wrong."""
        state = self.state
        if not self.simple or (state.times and state.times.are_narrow):
            return None
        wrong = state.problems or state.missing_roots or self.strangers.count
        return None if wrong else self.digest.hexdigest()

    def singles(self) -> Iterator[Found]:
        """Yield a unit for each file. Kept in one loop: it is run 10⁵ times a second."""
        slow = not self.simple
        split, level, keys = self.shape.split, self.shape.level, self.keys
        device, newest_ns = -1, -inf
        for path, name, values, stat in self.files():
            size, mtime_ns = stat.st_size, stat.st_mtime_ns
            if stat.st_dev != device:
                device = stat.st_dev
                newest_ns = self.newest(device) * 1e9
            stem, _, suffix = name.rpartition(".")
            values["path"] = path
            values["size"] = size
            # A pattern may have fields of these names: they win.
            values.setdefault("name", name)
            values.setdefault("stem", stem if stem and suffix else name)
            if slow or mtime_ns > newest_ns:
                yield from self.whole(values, [(path, stat)])
                continue
            try:
                key = split(values)
            except ValueError as error:
                self.state.problems.append(Problem(path, str(error)))
                continue
            if keys is not None:
                keys.add(key, path)
            yield Found(level, key, values, f"{size}:{mtime_ns}")
        self.note_begun()

    def groups(self) -> Iterator[Found]:
        """Gather files that differ only in the `many` fields; a group is over when its folder is left."""
        kept: dict[str, tuple[dict[str, Any], list[Seen]]] = {}
        depth = _first_many_depth(self.source)
        for folder in Walk(self.source.pattern, self.campaign.root, self.state):
            if isinstance(folder, Folder):
                for path, _, found, stat in self.files_in(folder):
                    values = {name: value for name, value in found.items() if name not in self.source.many}
                    kept.setdefault(repr(values), (values, []))[1].append((path, stat))
            elif folder.depth == depth:
                yield from self.close(kept)
        yield from self.close(kept)

    def close(self, kept: dict[str, tuple[dict[str, Any], list[Seen]]]) -> Iterator[Found]:
        for values, files in kept.values():
            files.sort(key=lambda seen: seen[0])
            values["paths"] = [path for path, _ in files]
            values["size"] = sum(stat.st_size for _, stat in files)
            yield from self.whole(values, files)
        kept.clear()
        self.note_begun()

    def files(self) -> Iterator[tuple[str, str, dict[str, Any], os.stat_result]]:
        for folder in Walk(self.source.pattern, self.campaign.root, self.state):
            if isinstance(folder, Folder):
                yield from self.files_in(folder)

    def files_in(self, folder: Folder) -> Iterator[tuple[str, str, dict[str, Any], os.stat_result]]:
        """Yield path, name, fields and stat of each file in `folder` that matches."""
        read, texts, known = self.segment.read, folder.texts, folder.values
        for path, name, found, stat in self.matched_in(folder):
            values = read(texts + found.groups(), known)
            if isinstance(values, str):
                self.state.problems.append(Problem(path, f"badly named: {values}"))
            else:
                yield path, name, values, stat

    def matched_in(self, folder: Folder) -> Iterator[tuple[str, str, Matched, os.stat_result]]:
        """Yield path, name, match and stat of each file in `folder` that matches, and add it to the digest."""
        shown, place = folder.shown, folder.place
        note = self.digest.update
        try:
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            note_unreadable(shown, error, self.state)
            return
        try:
            if self.state.times:
                self.state.times.note(shown, os.fstat(descriptor))
            if self.source.partial:
                self.note_held(folder, descriptor, self.source.partial.segments[-1])
            for name, found, look in self.matching(shown, descriptor):
                path = shown + name
                stat = self.stat(look, path)
                if stat is not None:
                    note(b"%s\0%d:%d\n" % (path.encode(), stat.st_size, stat.st_mtime_ns))
                    yield path, name, found, stat
        finally:
            os.close(descriptor)

    def matching(self, shown: str, descriptor: int) -> Iterator[tuple[str, Matched, Look]]:
        match, excluded, made = self.segment.match, self.excluded, self.state.made
        partial, suffix = self.source.partial, self.strangers.suffix
        for name, look in self.listed(shown, descriptor):
            found = match(name)
            if found is None:
                if name.endswith(suffix) and not (excluded is not None and excluded(shown + name)):
                    self.strangers.note(shown + name)
                continue
            if excluded is not None and excluded(shown + name):
                continue
            if partial is not None and partial.segments[-1].match(name):
                continue
            if made and shown + name in made:
                continue
            if name.isascii() or readable(shown, name, self.state):
                yield name, found, look

    def listed(self, shown: str, descriptor: int) -> Iterator[tuple[str, Look]]:
        """Yield what may match, each with a way to stat it: through the open folder, which costs no walk down a path."""
        literal = self.segment.literal
        if literal is not None:
            return iter([(literal, partial(os.stat, literal, dir_fd=descriptor))])
        return ((entry.name, entry.stat) for entry in entries(descriptor, shown, self.state))

    def stat(self, look: Look, path: str) -> os.stat_result | None:
        try:
            stat = look()
        except OSError as error:
            if (self.campaign.root / path).is_symlink():
                why = f"is a link that cannot be followed ({error.strerror}); fix or remove it"
                self.state.problems.append(Problem(path, why))
            elif not isinstance(error, FileNotFoundError):
                note_unreadable(path, error, self.state)
            return None  # else it went between the listing and now: the next scan tells
        if S_ISREG(stat.st_mode):
            return stat
        if not S_ISDIR(stat.st_mode):
            why = f"is {kind_of(stat)}, not a file; remove or exclude it"
            self.state.problems.append(Problem(path, why))
        return None

    def whole(self, values: dict[str, Any], files: list[Seen]) -> Iterator[Found]:
        """Yield the unit if it is complete: with its companions, and at rest."""
        lacking = self.add_companions(values, files)
        missing = f"{lacking} does not exist" if lacking else self.holding(values)
        mark = ",".join([f"{stat.st_size}:{stat.st_mtime_ns}" for _, stat in files])
        path = files[0][0]
        try:
            key = self.shape.split(values)
        except ValueError as error:
            self.state.problems.append(Problem(path, str(error)))
            return
        if missing:
            why = f"incomplete: {missing}"
            self.state.unsettled.append(Unsettled(path, mark, self.since(path, mark), key, None, why))
        elif self.at_rest(path, mark, key, files):
            if self.keys is not None:
                self.keys.add(key, path)
            yield Found(self.shape.level, key, values, mark)

    def note_held(self, folder: Folder, descriptor: int, segment: Segment) -> None:
        """Note the units of which a file in this folder is still written."""
        if segment.literal is None:
            names = [entry.name for entry in entries(descriptor, folder.shown, self.state)]
        else:
            names = [segment.literal] * os.access(segment.literal, os.F_OK, dir_fd=descriptor)
        for name in names:
            if found := segment.match(name):
                values = segment.read(folder.texts + found.groups(), folder.values)
                if not isinstance(values, str):
                    self.held.setdefault(self.identity(values), (folder.shown + name, values))

    def identity(self, values: Mapping[str, Any]) -> str:
        """Return what distinguishes a unit before its key is known."""
        return repr([values[name] for name in self.names])

    def holding(self, values: Mapping[str, Any]) -> str | None:
        """Return the file that shows that a unit is still being written, if there is one."""
        held = self.held.pop(self.identity(values), None) if self.held else None
        return held and f"{held[0]} is still there"

    def note_begun(self) -> None:
        """Report the units of which only files are there that are still written: their groups are not whole."""
        for path, values in self.held.values():
            try:
                key = self.shape.split(values)
            except (ValueError, KeyError):
                key = ()
            why = f"incomplete: {path} is still there"
            self.state.unsettled.append(Unsettled(path, "", self.since(path, ""), key, None, why))
        self.held.clear()

    def add_companions(self, values: Mapping[str, Any], files: list[Seen]) -> str | None:
        for template in self.source.companions:
            path = template.render(values)
            try:
                files.append((path, os.stat(self.campaign.root / path)))
            except OSError:
                return path
        return None

    def since(self, path: str, mark: str) -> float:
        before, now = self.state.settling.get(path), self.state.now_s
        return min(before[1], now) if before and before[0] == mark else now  # later: the clock was put back

    def at_rest(self, path: str, mark: str, key: tuple[Value, ...], files: list[Seen]) -> bool:
        """RULE 29: old by the server's clock, or seen equal over the settling time."""
        changed = max(stat.st_mtime for _, stat in files)
        younger = changed - self.newest(files[0][1].st_dev)
        if younger <= 0:
            return True
        since, settle = self.since(path, mark), self.source.settle_s
        if self.state.now_s - since >= settle:
            return True
        ready_at = min(since + settle, self.state.now_s + younger)
        why = f"changed less than {settle:g} s ago"
        self.state.unsettled.append(Unsettled(path, mark, since, key, ready_at, why))
        return False

    def newest(self, device: int) -> float:
        """Return the latest change, by the clock of the file server, that counts as at rest."""
        if device not in self.limits:
            now, settle = self.state.server_now(device), self.source.settle_s
            self.limits[device] = inf if settle <= 0 else -inf if now is None else now - settle
        return self.limits[device]


class _Keys:
    """Refuses a second file with the same key. Remembers only hashes; the first file is looked up again for the message."""

    def __init__(self, scan: FileScan) -> None:
        self.scan = scan
        self.seen: set[int] = set()

    def add(self, key: tuple[Value, ...], path: str) -> None:
        before = len(self.seen)
        self.seen.add(hash(key))
        if len(self.seen) == before and (first := self.first_with(key, path)):
            campaign = self.scan.campaign
            shown = show_key(key, campaign.levels, campaign.formats)
            raise DefinitionError(
                f"the files {first} and {path} have the same key {shown}; "
                "add a level, exclude one, or join them with `many`",
                file=campaign.file,
            )

    def first_with(self, key: tuple[Value, ...], path: str) -> str | None:
        scan, state = self.scan, self.scan.state
        again = FileScan(
            scan.source, scan.campaign, replace(state, problems=[], unsettled=[], missing_roots=[])
        )
        for found in again.units():
            other = found.fields["paths"][0] if scan.source.many else found.fields["path"]
            if found.key == key and other != path:
                return other
        return None


def _key_may_repeat(source: FileSource, campaign: Campaign) -> bool:
    """Return whether two paths can give one key: not when the key holds every field of the pattern."""
    fields, levels = {*source.pattern.names} - {*source.many}, {*campaign.levels[: source.level]}
    return not fields <= levels - {*source.derive}


def _first_many_depth(source: FileSource) -> int:
    depth = 0
    for part in source.pattern.template.parts:
        if isinstance(part, str):
            depth += part.count("/")
        elif part.name in source.many:
            break
    return depth - source.pattern.absolute


def _excluder(globs: tuple[str, ...]) -> Callable[[str], Any] | None:
    if not globs:
        return None
    match = re.compile("|".join(fnmatch.translate(glob) for glob in globs)).fullmatch
    return lambda path: match(path) or match(path.rpartition("/")[2])
