"""Files with a source's extension and another form of name: a misspelt recording is not silently lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from penstock.campaign import Campaign, FileSource, TableSource
from penstock.complete import Condition
from penstock.errors import DefinitionError
from penstock.sources.found import Problem
from penstock.units import Pattern

NEVER = ("\0",)  # what no name ends in


class Strangers:
    """Counts them for one source; files that the definition uses otherwise do not count."""

    def __init__(self, source: FileSource, campaign: Campaign) -> None:
        self.pattern, self.campaign = source.pattern, campaign
        self.suffix = suffix_of(source.pattern)
        self.others = tuple(others(source, campaign)) if self.suffix != NEVER else ()
        self.tables = {str(s.path) for s in campaign.sources if isinstance(s, TableSource)}
        self.count, self.first = 0, ""

    def note(self, path: str) -> None:
        """Count a file that the pattern does not match, unless it is hidden or known by another name."""
        place = self.campaign.root / path
        if os.path.basename(path).startswith(".") or str(place) in self.tables or not os.path.isfile(place):
            return
        if any(other.match(path) is not None for other in self.others):
            return
        self.count += 1
        shown = os.fsencode(path).decode(errors="backslashreplace")
        self.first = min(self.first or shown, shown)

    def problems(self) -> Iterator[Problem]:
        """Yield one problem for all of them."""
        if self.count:
            files = (
                f"{self.count} files end in {self.suffix[0]} and are" if self.count > 1 else "this file is"
            )
            yield Problem(
                self.first,
                f"{files} not named like {self.pattern.text}; rename what is a unit, `exclude` the rest",
            )


def suffix_of(pattern: Pattern) -> tuple[str, ...]:
    """Return the extension that all files of a pattern have, if it says one."""
    last = pattern.template.parts[-1]
    if not isinstance(last, str) or "." not in last.rpartition("/")[2]:
        return NEVER
    return (f".{last.rpartition('.')[2]}",)


def others(source: FileSource, campaign: Campaign) -> Iterator[Pattern]:
    """Yield the patterns of all other files that a campaign knows: of sources, of what stands beside them, of products."""
    for other in campaign.sources:
        if isinstance(other, FileSource):
            yield from [other.pattern] * (other is not source)
            yield from [other.partial] if other.partial else []
            yield from patterns(*(template.text for template in other.companions))
    ends = [Condition.parse(text).file for text in campaign.complete.values()]
    yield from patterns(*(template.text for template in ends if template))
    yield from (product.path for stage in campaign.stages for product in stage.products)


def patterns(*texts: str) -> Iterator[Pattern]:
    """Yield the patterns of these texts, of those that are any."""
    for text in texts:
        with suppress(DefinitionError):
            yield Pattern.parse(text)
