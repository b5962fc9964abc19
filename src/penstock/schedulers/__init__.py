"""The languages of schedulers: what they print and understand."""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, cast

from penstock.errors import DefinitionError

if TYPE_CHECKING:
    from penstock.schedulers import gridengine, local, lsf, pbs, slurm, torque
    from penstock.schedulers.model import Scheduler

    # by the type checker: they have all that is asked for
    CHECKED: tuple[Scheduler, ...] = (gridengine, local, lsf, pbs, slurm, torque)

GROUP = "penstock.schedulers"
BUILT_IN = ("gridengine", "local", "lsf", "pbs", "slurm", "torque")


def find_scheduler(name: str) -> Scheduler:
    """Return the adapter that a site's `scheduler` names: ours, or one from an installed package.

    Raises DefinitionError for an unknown name.
    """
    if name in BUILT_IN:
        return cast("Scheduler", import_module(f"{GROUP}.{name}"))
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise _unknown(name, sorted({*BUILT_IN, *points}))
    return cast("Scheduler", points[name].load())


def _unknown(name: str, known: list[str]) -> DefinitionError:
    from penstock.config.places import nearest  # it loads what reads definitions: for the error alone

    there = f"there are {', '.join(known)}"
    return DefinitionError(
        "; ".join(dict.fromkeys((f"there is no scheduler {name!r}", there, nearest(name, known))))
    )


#: scheduler → the command that lets a held job go on
RELEASE = {
    "slurm": "scontrol release",
    "pbs": "qrls",
    "torque": "qrls",
    "gridengine": "qrls",
    "lsf": "bresume",
}


#: scheduler → why it holds what can never run, and what to change
MENDING = {
    "slurm": (
        (
            r"TimeLimit|Wall",
            "set `max_walltime` of [site.{site}] to what its `queue` and `qos` allow, or name others",
        ),
        (r"Mem", "ask for less `memory` in the stage, or set `max_memory` of [site.{site}]"),
        (r"Account", "correct `account` of [site.{site}]"),
        (r"InvalidQOS|QOSNotAllowed|QOSMin", "correct `qos` of [site.{site}]"),
        (r"BadConstraints", "correct `constraint` of [site.{site}], or ask for less in the stage"),
        (r"Partition|Max", "ask for less in the stage, or name another `queue` or `qos` for [site.{site}]"),
    )
}


def mending(scheduler: str | None, reason: str, site: str) -> str:
    """Say what to change when a scheduler keeps a job that can never run as it is.

    >>> mending("slurm", "InvalidAccount", "cluster")
    'correct `account` of [site.cluster]'
    """
    rows = MENDING.get(scheduler or "", ())
    found = (hint for pattern, hint in rows if re.search(pattern, reason))
    return next(found, "correct [site.{site}]").format(site=site)


def release_command(
    scheduler: str | None, native: str | None, *, array: bool, word: str, reason: str
) -> str | None:
    """Return the command that releases a held job; None when the hold cannot be lifted that way.

    >>> release_command("slurm", "4711", array=True, word="PENDING", reason="JobHeldUser")
    'scontrol release 4711'
    >>> release_command("slurm", "4711", array=True, word="PENDING", reason="BadConstraints")
    >>> release_command("pbs", "4711.head", array=True, word="H", reason="")
    "qrls '4711[].head'"
    """
    if scheduler not in RELEASE or native is None:
        return None
    if scheduler == "slurm" and not re.search("held|hold|SPECIAL_EXIT", f"{word} {reason}", re.IGNORECASE):
        return None
    if scheduler in ("pbs", "torque") and array:
        from penstock.schedulers.pbs_ids import array_id

        native = f"'{array_id(native)}'"
    command = "qmod -cj" if scheduler == "gridengine" and word.startswith("E") else RELEASE[scheduler]
    return f"{command} {native}"
