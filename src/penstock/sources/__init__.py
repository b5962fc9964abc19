"""Finding units: each source is one pass that yields and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator

from penstock.campaign import Campaign, FileSource, FunctionSource, Source, TableSource
from penstock.sources.files import contents_of_files, scan_files, times_of
from penstock.sources.found import Found, Problem, ScanState, Unsettled
from penstock.sources.function import import_function, scan_function
from penstock.sources.nothing import explain_nothing
from penstock.sources.table import contents_of_table, scan_table
from penstock.sources.times import Times

__all__ = [
    "Found",
    "Problem",
    "ScanState",
    "Times",
    "Unsettled",
    "contents",
    "explain_nothing",
    "import_function",
    "scan",
    "times_of",
]


def scan(source: Source, campaign: Campaign, state: ScanState) -> Iterator[Found]:
    """Yield the units of `source` as they are found; problems in the data go to `state`."""
    match source:
        case FileSource():
            return scan_files(source, campaign, state)
        case TableSource():
            return scan_table(source, campaign, state)
        case FunctionSource():
            return scan_function(source, campaign, state)


def contents(source: Source, campaign: Campaign, state: ScanState) -> str | None:
    """Return a digest of what a source contains, without reading its units; None where only a scan tells."""
    match source:
        case FileSource():
            return contents_of_files(source, campaign, state)
        case TableSource():
            return contents_of_table(source)
        case FunctionSource():
            return None
