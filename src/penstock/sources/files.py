"""Units from files: found by a pattern, whole when at rest and with their companions."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from penstock.campaign import Campaign, FileSource
from penstock.errors import DefinitionError
from penstock.sources.found import Found, Problem, ScanState, Shape, Unsettled
from penstock.sources.walk import Hit, Walk
from penstock.units import Value, show_key

Seen = tuple[str, os.stat_result]  # path as written, and what it is


def scan_files(source: FileSource, campaign: Campaign, state: ScanState) -> Iterator[Found]:
    """Yield the units of a file source; those not yet whole go to `state.unsettled`."""
    scan = _Scan(source, campaign, state)
    yield from scan.groups() if source.many else scan.singles()


class _Scan:
    def __init__(self, source: FileSource, campaign: Campaign, state: ScanState) -> None:
        self.source, self.campaign, self.state = source, campaign, state
        self.shape = Shape.of(source, campaign)
        self.excluded = _excluder(source.exclude)
        self.root = "" if source.pattern.absolute else f"{campaign.root}/"
        self.clocks: dict[int, float | None] = {}
        self.keys = _Keys(self) if _key_may_repeat(source, campaign) else None

    def hits(self) -> Iterator[Any]:
        return iter(Walk(self.source.pattern, self.campaign.root, self.state))

    def singles(self) -> Iterator[Found]:
        whole = self.finish
        for hit in self.hits():
            if hit.__class__ is not Hit or (self.excluded and self.excluded(hit.path)):
                continue
            stat = self.stat(hit)
            if stat is None:
                continue
            name, values = hit.name, hit.values
            stem, _, suffix = name.rpartition(".")
            values["path"] = hit.path
            values["name"] = name
            values["stem"] = stem if stem and suffix else name
            values["size"] = stat.st_size
            found = whole(values, [(hit.path, stat)])
            if found is not None:
                yield found

    def groups(self) -> Iterator[Found]:
        """Gather files that differ only in the `many` fields; a group is over when its folder is left."""
        kept: dict[str, tuple[dict[str, Any], list[Seen]]] = {}
        depth = _first_many_depth(self.source)
        for hit in self.hits():
            if hit.__class__ is not Hit:
                if hit.depth == depth:
                    yield from self.close(kept)
                continue
            if self.excluded and self.excluded(hit.path):
                continue
            stat = self.stat(hit)
            if stat is None:
                continue
            values = {name: value for name, value in hit.values.items() if name not in self.source.many}
            kept.setdefault(repr(values), (values, []))[1].append((hit.path, stat))
        yield from self.close(kept)

    def close(self, kept: dict[str, tuple[dict[str, Any], list[Seen]]]) -> Iterator[Found]:
        for values, files in kept.values():
            files.sort(key=lambda seen: seen[0])
            values["paths"] = [path for path, _ in files]
            values["size"] = sum(stat.st_size for _, stat in files)
            found = self.finish(values, files)
            if found is not None:
                yield found
        kept.clear()

    def stat(self, hit: Hit) -> os.stat_result | None:
        try:
            return os.stat(hit.entry)
        except OSError as error:
            if os.path.islink(hit.entry):
                self.state.problems.append(
                    Problem(hit.path, f"is a link that cannot be followed ({error.strerror})")
                )
            return None  # it went between the listing and now: the next scan tells

    def finish(self, values: dict[str, Any], files: list[Seen]) -> Found | None:
        missing = self.add_companions(values, files) if self.source.companions else None
        if len(files) == 1:
            stat = files[0][1]
            print_ = f"{stat.st_size}:{stat.st_mtime_ns}"
        else:
            print_ = ",".join([f"{stat.st_size}:{stat.st_mtime_ns}" for _, stat in files])
        path = files[0][0]
        try:
            key = self.shape.split(values)
        except ValueError as error:
            self.state.problems.append(Problem(path, str(error)))
            return None
        if missing:
            why = f"incomplete: {missing} is not there"
            self.state.unsettled.append(Unsettled(path, print_, self.since(path, print_), key, None, why))
            return None
        if self.source.settle_s > 0 and not self.at_rest(path, print_, key, files):
            return None
        if self.keys is not None:
            self.keys.add(key, path)
        return Found(self.shape.level, key, values, print_)

    def add_companions(self, values: Mapping[str, Any], files: list[Seen]) -> str | None:
        for template in self.source.companions:
            path = template.render(values)
            try:
                files.append((path, os.stat(os.path.join(self.campaign.root, path))))
            except OSError:
                return path
        return None

    def since(self, path: str, print_: str) -> float:
        before = self.state.settling.get(path)
        return before[1] if before and before[0] == print_ else self.state.now_s

    def at_rest(self, path: str, print_: str, key: tuple[Value, ...], files: list[Seen]) -> bool:
        """RULE 29: old by the server's clock, or seen equal over the settling time."""
        settle = self.source.settle_s
        server = self.server_now(files[0][1].st_dev)
        age = None if server is None else server - max(stat.st_mtime for _, stat in files)
        if age is not None and age >= settle:
            return True
        since = self.since(path, print_)
        if self.state.now_s - since >= settle:
            return True
        waits = [since + settle] if age is None else [since + settle, self.state.now_s + settle - age]
        why = f"changed less than {settle:g} s ago"
        self.state.unsettled.append(Unsettled(path, print_, since, key, min(waits), why))
        return False

    def server_now(self, device: int) -> float | None:
        if device not in self.clocks:
            self.clocks[device] = self.state.server_now(device)
        return self.clocks[device]


class _Keys:
    """Refuses a second file with one key; remembers only hashes, and looks the first file up again for the message."""

    def __init__(self, scan: _Scan) -> None:
        self.scan = scan
        self.seen: set[int] = set()

    def add(self, key: tuple[Value, ...], path: str) -> None:
        before = len(self.seen)
        self.seen.add(hash(key))
        if len(self.seen) == before and (first := self.first_with(key, path)):
            campaign = self.scan.campaign
            raise DefinitionError(
                f"the files {first} and {path} have the same key {show_key(key, campaign.levels, campaign.formats)}; "
                "add a level, exclude one, or join them with `many`",
                file=campaign.file,
            )

    def first_with(self, key: tuple[Value, ...], path: str) -> str | None:
        quiet = ScanState(self.scan.state.now_s, self.scan.state.server_now, self.scan.state.settling)
        again = _Scan(self.scan.source, self.scan.campaign, quiet)
        again.keys = None
        units = again.groups() if self.scan.source.many else again.singles()
        for found in units:
            other = found.fields["paths"][0] if self.scan.source.many else found.fields["path"]
            if found.key == key and other != path:
                return other
        return None


def _key_may_repeat(source: FileSource, campaign: Campaign) -> bool:
    """Say whether two paths can give one key: not when the key holds every field of the pattern."""
    return not {*source.pattern.names} - {*source.many} <= {*campaign.levels[: source.level]} - {
        *source.derive
    }


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
