"""What is said about one site."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from penstock.display import count, show_time
from penstock.errors import NothingYet

if TYPE_CHECKING:
    from penstock.campaign import Campaign, Site
    from penstock.schedulers.model import Limits

T = TypeVar("T")


def what_is_known(campaign: Campaign, name: str, limits: dict[str, Any] | None) -> dict[str, Any]:
    """Return what definition and record say about a site; `limits` if they were just asked for."""
    from penstock.config import to_json
    from penstock.ledger.experience import Experience, experience_of, notes_on
    from penstock.ledger.reading.queuestate import out_by_site, trouble_of

    root = campaign.root
    known = recorded(root, lambda db: experience_of(db, name), Experience())
    told = {"version": known.version, "array_size": known.array_size, "accounting": known.accounting}
    jobs, tasks = recorded(root, out_by_site, {}).get(name, (0, 0))
    trouble = recorded(root, lambda db: trouble_of(db, name), None)
    return {
        "definition": by_key(to_json(campaign)["sites"][name]),
        "default": name == campaign.site,
        "limits": limits or (told if known.limits_told else None),
        "jobs": jobs,
        "tasks": tasks,
        "trouble": trouble and {"why": trouble[0], "since": trouble[1]},
        "packages": describe_packages(campaign, name),
        "notes": recorded(root, lambda db: [*notes_on(db, name, time.time())], []),
    }


def by_key(frozen: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a site, under the keys of the definition."""
    names = {
        "max_walltime_s": "max_walltime",
        "max_memory_bytes": "max_memory",
        "memory_bytes": "memory",
        "visibility_s": "visibility",
        "disk_bytes": "disk",
    }
    return {names.get(key, key): value for key, value in frozen.items() if key not in ("name", "scheduler")}


def definition_lines(definition: dict[str, Any]) -> list[str]:
    """Describe each key that has a value, and name the others."""
    from penstock.config.models import SiteTable

    about = {
        key: (field.description or "").partition("[")[0] for key, field in SiteTable.model_fields.items()
    }
    said = {key: value for key, value in definition.items() if value not in (None, "", [], {})}
    width = max(map(len, said))
    lines = [
        f"{key:<{width}}  {show_value(key, value)}  ({about[key].strip()})" for key, value in said.items()
    ]
    silent = [key for key in definition if key not in said]
    return [*lines, f"not set: {', '.join(silent)}"]


def show_value(key: str, value: Any) -> str:
    """Write a value of a site as a person reads it."""
    from penstock.display import show_bytes, show_duration

    if key == "partitions":
        return ", ".join(part["name"] for part in value)
    if key in ("max_walltime", "visibility"):
        return show_duration(value)
    if key in ("max_memory", "memory", "disk"):
        return show_bytes(value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{name}={text}" for name, text in value.items())  # type: ignore[reportUnknownVariableType]
    return "; ".join(value) if isinstance(value, list) else str(value)  # type: ignore[reportUnknownArgumentType]


def describe_packages(campaign: Campaign, name: str) -> str | None:
    """Say which packages are installed at a site for its functions, if it asks for any."""
    from penstock.site.environments import asked_of, read_environment

    site = campaign.sites[name]
    if not site.requirements:
        return None
    made = read_environment(campaign.root, site)
    is_new = made is not None and made.asked == asked_of(site, campaign.root)
    return f"{made or 'none'}" + (
        "" if is_new else f": `penstock site provision {name}` installs what it requires"
    )


def state_lines(found: Site, told: dict[str, Any]) -> list[str]:
    """Describe what is known about a site, and its active jobs."""
    from penstock.site.findings import describe_limits

    lines = list[str]()
    if not found.is_here:
        limits = told["limits"]
        lines.append(
            f"limits: {describe_limits(found.scheduler, limits_of(limits))}" if limits else NEVER_ASKED
        )
    if packages := told["packages"]:
        lines.append(f"packages: {packages}")
    lines.append(
        f"{count(told['jobs'], 'active job')} with {count(told['tasks'], 'task')}"
        if told["jobs"]
        else "no active jobs"
    )
    lines += told["notes"]
    if trouble := told["trouble"]:
        lines.append(f"! {trouble['why']} (since {show_time(trouble['since'], now=time.time())})")
    return lines


NEVER_ASKED = "its limits are not known yet: `--ask` asks the scheduler for them"


def limits_of(found: dict[str, Any]) -> Limits:
    """Return limits as they were recorded."""
    from penstock.schedulers.model import Limits

    return Limits(found["version"], found["array_size"], found["accounting"])


def recorded(root: Path, question: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
    """Query the record, which may not exist yet."""
    from penstock.ledger import Ledger

    try:
        with Ledger.open(root, readonly=True) as ledger:
            return question(ledger.db)
    except NothingYet:
        return otherwise
