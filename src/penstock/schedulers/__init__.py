"""What the places where jobs run say and understand."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

from penstock.errors import DefinitionError

if TYPE_CHECKING:
    from penstock.schedulers import gridengine, lsf, pbs, slurm, torque
    from penstock.schedulers.model import Scheduler

    # by the type checker: they have all that is asked for
    CHECKED: tuple[Scheduler, ...] = (gridengine, lsf, pbs, slurm, torque)

GROUP = "penstock.schedulers"
BUILT_IN = ("gridengine", "lsf", "pbs", "slurm", "torque")


def find_scheduler(name: str) -> Scheduler:
    """Return the adapter that a site's `scheduler` names: ours, or one that an installed package brings.

    Raises DefinitionError for a name that nobody brings.
    """
    if name in BUILT_IN:
        return cast("Scheduler", import_module(f"{GROUP}.{name}"))
    from importlib.metadata import entry_points

    points = {point.name: point for point in entry_points(group=GROUP)}
    if name not in points:
        raise _unknown(name, sorted({"local", *BUILT_IN, *points}))
    return cast("Scheduler", points[name].load())


def _unknown(name: str, known: list[str]) -> DefinitionError:
    from penstock.config.places import nearest  # it loads what reads definitions: for the error alone

    there = f"there are {', '.join(known)}"
    return DefinitionError(
        "; ".join(dict.fromkeys((f"there is no scheduler {name!r}", there, nearest(name, known))))
    )
