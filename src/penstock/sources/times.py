"""The times of a source's folders: where one is the same, no file came, went, or was renamed since it was looked into."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable

GRAIN_S = 2.0  # a folder that changed so shortly before may change again and keep its time
YOUNG_S = 10.0  # after a change, files are looked at again: they may still be written in place
MOST_FOLDERS = 50_000

ServerNow = Callable[[int], float | None]


class Times:
    """What scans of one source saw of its folders, from one to the next; folders are named as the pattern writes them.

    `due` are those that the present scan looks into (None: into all), and `under` leads to them. `young` are those whose
    time proves nothing, until when. Times of the file server are compared with its own clock only.
    """

    def __init__(self, root: str) -> None:
        self.root = root
        self.marks: dict[str, int] = {}
        self.young: dict[str, float] = {}
        self.due: set[str] | None = None
        self.under: dict[str, set[str]] = {}
        self.now, self.server_now, self.clocks = 0.0, _no_clock, dict[int, float | None]()
        self.noted: set[str] = set()
        self.started = False

    def widen(self, now: float, server_now: ServerNow) -> None:
        """Begin a scan that looks into every folder."""
        self.due, self.under = None, {}
        self.begin(now, server_now)

    def narrow(self, now: float, server_now: ServerNow) -> int:
        """Begin a scan that looks where something changed; return how many folders that is."""
        root, marks, young = self.root, self.marks, self.young
        self.due = {shown for shown, mark in marks.items() if shown in young or mark_at(root + shown) != mark}
        self.under = leading_to(self.due)
        self.begin(now, server_now)
        return len(self.due)

    def begin(self, now: float, server_now: ServerNow) -> None:
        self.now, self.server_now, self.clocks, self.noted = now, server_now, {}, set()

    def end(self, unsettled: Iterable[str]) -> None:
        """End a scan: look again where files are `unsettled`, and forget the folders that are no longer there."""
        for shown in [*self.marks] if self.due is None else self.due:
            if shown not in self.noted:
                self.marks.pop(shown, None)
                self.young.pop(shown, None)
        for path in unsettled:
            self.young.setdefault(path[: path.rfind("/") + 1], self.now)
        self.started = True

    @property
    def are_narrow(self) -> bool:
        """Whether the present scan leaves folders out."""
        return self.due is not None

    @property
    def are_few(self) -> bool:
        """Whether these folders can be remembered."""
        return len(self.marks) <= MOST_FOLDERS

    def is_due(self, shown: str) -> bool:
        """Whether the scan looks into a folder."""
        return self.due is None or shown in self.due or shown not in self.marks

    def is_entered(self, shown: str) -> bool:
        """Whether the scan looks into a folder, or into one below it."""
        return self.is_due(shown) or shown in self.under

    def note(self, shown: str, stat: os.stat_result) -> None:
        """Note what a folder was right before it is looked into."""
        mark = mark_of(stat)
        self.noted.add(shown)
        if self.marks.get(shown) != mark:
            self.marks[shown] = mark
            if self.started:
                self.young[shown] = self.now + YOUNG_S
            elif not self.is_old(stat):
                self.young[shown] = self.now + GRAIN_S
        elif self.now >= self.young.get(shown, self.now):
            self.young.pop(shown, None)

    def is_old(self, stat: os.stat_result) -> bool:
        """Whether a folder rested for longer than times are coarse, by the clock that gave it its time."""
        if stat.st_dev not in self.clocks:
            self.clocks[stat.st_dev] = self.server_now(stat.st_dev)
        now = self.clocks[stat.st_dev]
        return now is not None and now - stat.st_mtime > GRAIN_S


def mark_of(stat: os.stat_result) -> int:
    """Return what differs for a folder that changed, or that stands in the place of another one."""
    return hash((stat.st_mtime_ns, stat.st_ino, stat.st_dev))


def mark_at(place: str) -> int | None:
    """Return the mark of a folder; None: it is not there."""
    try:
        return mark_of(os.stat(place or "."))
    except OSError:
        return None


def leading_to(folders: Iterable[str]) -> dict[str, set[str]]:
    """Return the names, in each folder, that lead to these."""
    under = defaultdict[str, set[str]](set)
    for shown in folders:
        while shown.rstrip("/"):
            above = shown[: shown.rstrip("/").rfind("/") + 1]
            under[above].add(shown[len(above) :].rstrip("/"))
            shown = above
    return under


def _no_clock(device: int) -> float | None:
    return None
