"""The plan of a night: which runs are processed, with which calibration, cleaning and model. Nothing is read or written.

Sequence 1 is the calibration: the highest PEDCALIB run with the highest DRS4 run of the night, or of one before it. Each
DATA run is a sequence after it, in the order of their numbers, and has it as its parent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from typing import Any

from penstock.errors import DefinitionError
from penstock.workflows.telescope.nights import Night, Run, compact
from penstock.workflows.telescope.settings import Choice, Settings

DRS4, PEDCALIB, DATA = "DRS4", "PEDCALIB", "DATA"
CALIBRATION = "calibration"
USED = (DRS4, PEDCALIB, DATA)

#: kind of file → the files that there are, by date
Dated = Mapping[str, Mapping[date, str]]


@dataclass(frozen=True, slots=True)
class Calibration:
    """The two runs that a night is calibrated with."""

    drs4: Run
    pedcal: Run


@dataclass(frozen=True, slots=True)
class Sequence:
    """One run that is processed: its number in the night, its parent's, and the fields of its unit beside these."""

    number: int
    parent: int | None
    run: Run
    source: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_data: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done in a night; `notes` say what is left out, `problems` what a person should look at."""

    night: date
    sequences: tuple[Sequence, ...]
    calibration: Calibration | None = None
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def plan_night(
    night: Night, earlier: Iterable[Night], settings: Settings, dated: Dated | None = None
) -> Plan:
    """Plan a night. `earlier` gives the nights before it, the last one first, of which as few are taken as are needed.

    Raises DefinitionError where there is no calibration, or none of the files that a calibration needs.
    """
    data = night.of_type(DATA)
    notes = tuple(_notes(night))
    if not data:
        return Plan(night.date, (), None, (*notes, "no DATA run: nothing to process"))
    calibration = find_calibration(night, earlier, settings.walk_back)
    files = {kind: nearest_earlier(kind, found, night.date) for kind, found in (dated or {}).items()}
    problems = [f"run {number}: {why}" for number, whys in sorted(night.problems.items()) for why in whys]
    numbers = {"drs4_run": calibration.drs4.number, "calibration_run": calibration.pedcal.number}
    made = (
        [] if settings.uses_existing else [Sequence(1, None, calibration.pedcal, fields={**numbers, **files})]
    )
    common = {**_existing(calibration, settings), **files}
    sequences = list(made)
    for number, run in enumerate(data, 2):
        fields, wrong = _of_data(run, night, settings)
        source = str(night.about.get(run.number, {}).get("source") or "")
        parent = made[0].number if made else None
        sequences.append(Sequence(number, parent, run, source, {**numbers, **common, **fields}, is_data=True))
        problems += wrong
    return Plan(night.date, tuple(sequences), calibration, notes, tuple(problems))


def _notes(night: Night) -> Iterator[str]:
    others = Counter(run.type for run in night.runs if run.type not in USED)
    for kind, number in sorted(others.items()):
        runs = ", ".join(str(run.number) for run in night.of_type(kind))
        yield f"ignored: {number} run{'s' * (number != 1)} of the type {kind} ({runs})"


def find_calibration(night: Night, earlier: Iterable[Night], walk_back: int) -> Calibration:
    """Find the highest run of each kind, in this night or in the last one that has any. Raises DefinitionError.

    At most `walk_back` nights before it are looked at; nights that are not among `earlier` count, too.
    """
    found = dict[str, Run]()
    for each in chain([night], _within(earlier, night.date, walk_back)):
        for kind in (DRS4, PEDCALIB):
            if kind not in found and (runs := each.of_type(kind)):
                found[kind] = max(runs, key=lambda run: run.number)
        if len(found) == 2:
            return Calibration(found[DRS4], found[PEDCALIB])
    missing = " and ".join(kind for kind in (DRS4, PEDCALIB) if kind not in found)
    where = f"in the {walk_back} nights before it" if walk_back else "and no night before it may give one"
    remedy = "raise `walk_back` of [calibration], or correct the run summary"
    raise DefinitionError(f"the night {night.date} has no {missing} run, nor is there one {where}: {remedy}")


def _within(earlier: Iterable[Night], day: date, most: int) -> Iterator[Night]:
    for night in earlier if most else ():
        if (day - night.date).days > most:
            return
        yield night


def nearest_earlier(kind: str, found: Mapping[date, str], day: date) -> str:
    """Give the file of the last day that is not after `day`. Raises DefinitionError if there is none."""
    if last := max((each for each in found if each <= day), default=None):
        return found[last]
    after = f"the first one is of {min(found)}" if found else "there is none at all"
    raise DefinitionError(
        f"there is no file `{kind}` of {day} or before: {after}; see [files] of telescope.toml"
    )


def choose(rules: Iterable[Choice], fields: Mapping[str, Any]) -> Choice | None:
    """Give the first rule that holds; one does not while a field that it names is unknown."""
    known = {name: value for name, value in fields.items() if value is not None}
    return next((rule for rule in rules if rule.where is None or rule.where.holds(known)), None)


def _existing(calibration: Calibration, settings: Settings) -> dict[str, str]:
    """Give the calibration products that are there already, where these are used."""
    runs = {"drs4_pedestal": calibration.drs4, "charge_calibration": calibration.pedcal}
    return {
        f"{kind}_file": settings.files[kind].render({"date": compact(run.night), "run": run.number})
        for kind, run in runs.items()
        if settings.uses_existing
    }


def _of_data(run: Run, night: Night, settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """Give what is known of a run and chosen for it, and what could not be chosen."""
    about, problems = night.about.get(run.number, {}), list[str]()
    known = {**about, "run": run.number, "n_subruns": run.subruns}
    fields: dict[str, Any] = {name: about.get(name) for name in ("ra", "dec")}
    for kind, rules in settings.choices.items():
        found = choose(rules, known)
        if rules and not found:
            problems.append(f"run {run.number}: no [[{kind}]] is for it; add one without `where`")
        fields |= {kind: found.name if found else "", f"{kind}_path": found.path if found else ""}
    return fields, problems
