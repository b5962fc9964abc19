"""Which experiments there are, and which of them are controlled, that is, processed by themselves."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from penstock.campaign import Campaign, FileSource
from penstock.errors import DefinitionError

LIST = "experiments.txt"  # in the campaign's folder; without it all experiments are controlled
FIELD = re.compile(r"\{(\w+)[^{}]*\}")


class Experiment(NamedTuple):
    """One experiment whose data are there, or were."""

    instrument: str
    name: str


def instrument_of(experiment: str) -> str:
    """Give the instrument of an experiment, which its name begins with.

    >>> instrument_of("cxil2316")
    'CXI'
    """
    return experiment[:3].upper()


def read_list(path: Path) -> list[str] | None:
    """Read a list of experiments, one a line; `#` begins a comment. None if there is none."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return None
    names = (line.partition("#")[0].strip() for line in lines)
    return list(dict.fromkeys(filter(None, names)))


def list_experiments(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Give the units of the level `experiment`, with whether each is `controlled`: what `[units.experiment]` names."""
    listed = read_list(campaign.root / LIST)
    for instrument, name in find_experiments(campaign.root, pattern_of(campaign)):
        controlled = listed is None or name in listed
        yield {"instrument": instrument, "experiment": name, "controlled": controlled}


def pattern_of(campaign: Campaign) -> str:
    """Give the pattern by which a campaign finds its runs. Raises DefinitionError if it has none."""
    for source in campaign.sources:
        if isinstance(source, FileSource):
            return source.pattern.text
    raise DefinitionError(
        "[units] has no `files`, by which experiments are found; name the files of the runs"
    )


def find_experiments(root: Path, pattern: str) -> list[Experiment]:
    """Find the experiments that have a place among the data, in order; most have a folder of their own."""
    place = place_of_experiments(pattern)
    matches = re.compile(_regex(place)).fullmatch
    wanted = FIELD.sub("*", glob.escape(place).replace("[{]", "{"))
    found = set[Experiment]()
    for path in glob.iglob(wanted, root_dir=root):
        if match := matches(path):
            parts = match.groupdict()
            name = parts["experiment"]
            found.add(Experiment(parts.get("instrument") or instrument_of(name), name))
    return sorted(found)


def place_of_experiments(pattern: str) -> str:
    """Give the part of a pattern down to what names the experiment.

    >>> place_of_experiments("/data/{instrument}/{experiment}/xtc/{experiment}-r{run:04d}.h5")
    '/data/{instrument}/{experiment}'
    """
    parts = pattern.split("/")
    last = next(n for n, part in enumerate(parts, 1) if "{experiment}" in part)
    return "/".join(parts[:last])


def _regex(place: str) -> str:
    """Write a pattern as a regular expression; a field that comes again has the same value."""
    text, at, seen = "", 0, set[str]()
    for field in FIELD.finditer(place):
        name = field[1]
        text += re.escape(place[at : field.start()])
        text += f"(?P={name})" if name in seen else f"(?P<{name}>[^/]+?)"
        at = field.end()
        seen.add(name)
    return text + re.escape(place[at:])
