"""The times of all sources' folders, from one scan to the next of a conductor that takes many."""

from __future__ import annotations

from penstock import sources
from penstock.campaign import Campaign, FileSource, Source
from penstock.ledger.units import Difference
from penstock.sources.times import ServerNow

MOST_DUE = 0.5  # where more than this share of its folders is looked into, all are
FEW = 10  # folders


class Timekeeper:
    """Keeps the times of each source of files; they say where to look once a scan of all found nothing wrong."""

    def __init__(self, campaign: Campaign) -> None:
        files = [source for source in campaign.sources if isinstance(source, FileSource)]
        kept = {source.level: sources.times_of(source, campaign) for source in files}
        self.times = {level: times for level, times in kept.items() if times and all(kept.values())}
        self.sources = {source.level: source for source in files}
        self.clean = dict.fromkeys(self.times, False)

    @property
    def tell_all(self) -> bool:
        """Whether they tell where something is new."""
        return bool(self.clean) and all(self.clean.values())

    def of(self, source: Source) -> sources.Times | None:
        """Return the times of a source, if they are kept."""
        return self.times.get(source.level) if isinstance(source, FileSource) else None

    def widen(self, now: float, server_now: ServerNow) -> None:
        """Begin scans of all folders."""
        for times in self.times.values():
            times.widen(now, server_now)

    def narrow(self, now: float, server_now: ServerNow) -> list[Source] | None:
        """Begin scans of what changed; return the sources where something did, None if that is about everything."""
        due: list[Source] = []
        for level, times in sorted(self.times.items()):
            changed = times.narrow(now, server_now)
            if changed > max(FEW, MOST_DUE * len(times.marks)):
                return None
            due += [self.sources[level]] * bool(changed)
        return due

    def end(self, source: Source, state: sources.ScanState, difference: Difference) -> None:
        """End the scan of a source: where anything was wrong, the next one is of all."""
        if times := self.of(source):
            times.end(unsettled.path for unsettled in state.unsettled)
            wrong = state.problems or state.missing_roots or state.failed or difference.suspicious
            self.clean[source.level] = times.are_few and not wrong
