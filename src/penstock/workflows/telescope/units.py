"""Nights, runs and subruns as units of a campaign: what `[units]` of its definition names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import DefinitionError
from penstock.workflows.telescope.nights import Run, compact
from penstock.workflows.telescope.planning import plan_all
from penstock.workflows.telescope.sequences import Plan
from penstock.workflows.telescope.settings import Settings, read_settings

if TYPE_CHECKING:
    from penstock.campaign import Campaign

Unit = dict[str, Any]


def nights(campaign: Campaign) -> Iterator[Unit | DefinitionError]:
    """Give the nights that have a plan, and why others have none."""
    settings = read_settings(campaign.root)
    for planned in plan_all(settings, campaign.root, datetime.now(UTC)):
        if planned.plan is None:
            yield DefinitionError(planned.why)
            continue
        yield night_unit(planned.plan, settings)
        yield from (DefinitionError(f"{planned.night}: {why}") for why in planned.plan.problems)


def runs(campaign: Campaign) -> Iterator[Unit]:
    """Give the runs that are processed, calibrations among them."""
    settings = read_settings(campaign.root)
    for plan in _plans(settings, campaign.root):
        yield from run_units(plan, settings)


def subruns(campaign: Campaign) -> Iterator[Unit]:
    """Give the subruns of all runs with data."""
    settings = read_settings(campaign.root)
    for plan in _plans(settings, campaign.root):
        yield from subrun_units(plan, settings)


def _plans(settings: Settings, root: Path) -> Iterator[Plan]:
    """Give the plans that there are; `nights` has told of the others, and has made the tables."""
    for planned in plan_all(settings, root, datetime.now(UTC), make=False):
        if planned.plan:
            yield planned.plan


def night_unit(plan: Plan, settings: Settings) -> Unit:
    """Give the unit of a night."""
    date = {"date": compact(plan.night)}
    places = {name: settings.tables[name].render(date) for name in ("summary",)}
    places |= {name: settings.files[name].render(date) for name in ("drive",) if name in settings.files}
    return {
        "night": plan.night.isoformat(),
        **date,
        "n_data": sum(each.is_data for each in plan.sequences),
        **places,
    }


def run_units(plan: Plan, settings: Settings) -> Iterator[Unit]:
    """Give the units of all runs: their `kind` is "data", "calibration", or "pedestal", the DRS4 run of a calibration.

    Raw files of the last two are `paths`, and the first of them `path`; subruns have their own.
    """
    for each in plan.sequences:
        if not each.is_data and plan.calibration:
            yield {**_named(plan, plan.calibration.drs4, "pedestal"), **_raw(plan.calibration.drs4, settings)}
        run = each.run
        own = {"n_subruns": run.subruns} if each.is_data else _raw(run, settings)
        told = {"seq": each.number, "parent": each.parent, "source": each.source}
        yield {**_named(plan, run, "data" if each.is_data else "calibration"), **told, **own, **each.fields}


def _named(plan: Plan, run: Run, kind: str) -> Unit:
    return {
        "night": plan.night.isoformat(),
        "run": run.number,
        "kind": kind,
        "type": run.type,
        "n_subruns": 0,
    }


def _raw(run: Run, settings: Settings) -> Unit:
    values = {"date": compact(run.night), "run": run.number}
    paths = [
        settings.files["r0"].render({**values, "subrun": subrun}) for subrun in range(max(1, run.subruns))
    ]
    return {"path": paths[0], "paths": paths}


def subrun_units(plan: Plan, settings: Settings) -> Iterator[Unit]:
    """Give the units of all subruns of a night, whose `path` is the raw file."""
    day, pedestals = plan.night.isoformat(), settings.files.get("pedestal_ids")
    raw = settings.files["r0"]
    for sequence in plan.sequences:
        run = sequence.run
        values = {"date": compact(run.night), "run": run.number}
        for subrun in range(run.subruns) if sequence.is_data else ():
            values["subrun"] = subrun
            unit = {"night": day, "run": run.number, "subrun": subrun, "path": raw.render(values)}
            if pedestals:
                unit["pedestal_ids"] = pedestals.render(values)
            yield unit
