"""Installed workflows, and whether what they import is installed too."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.metadata import EntryPoint, PackageNotFoundError, distribution, entry_points, requires
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from penstock.errors import DefinitionError

OURS = "penstock"
GROUP = "penstock.workflows"
NAMED = 4


def workflow_points() -> dict[str, EntryPoint]:
    """Return the plug-ins of the installed workflows by name, none of them loaded."""
    return {point.name: point for point in entry_points(group=GROUP)}


def need(library: str, extra: str) -> Any:
    """Import a library of one of our extras. Raises DefinitionError if it is not installed."""
    try:
        return import_module(library)
    except ModuleNotFoundError:
        raise DefinitionError(f"{library} is not installed: {how_to_install(OURS, extra)}") from None


def explain_missing(name: str) -> str | None:
    """Return which packages of a workflow's extra are missing, and the command that installs them; None if all are there.

    A workflow's extra has the workflow's name, in the distribution that it comes with.
    """
    dist = workflow_points()[name].dist
    absent = [] if dist is None else [*find_absent(dist.name, name)]
    if dist is None or not absent:
        return None
    more = [f"{len(absent) - NAMED} more"] if len(absent) > NAMED else []
    needed = " and ".join([", ".join(absent[:NAMED]), *more])
    return f"the workflow {name} needs {needed}, which are not installed: {how_to_install(dist.name, name)}"


def how_to_install(dist: str, extra: str) -> str:
    """Return the command that adds an extra to a distribution, from the clone or wheel that it came from (PEP 610).

    On the public index our name is another project's.
    """
    try:
        origin: dict[str, Any] = json.loads(distribution(dist).read_text("direct_url.json") or "{}")
    except PackageNotFoundError:  # run from its source
        origin = {}
    url = urlsplit(str(origin.get("url", "")))
    if url.scheme == "file" and Path(place := unquote(url.path)).exists():
        editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
        return f'pip install {editable}"{place}[{extra}]"'
    if dist == OURS:
        return f'pip install ".[{extra}]" in a clone of penstock'
    return f'pip install "{dist}[{extra}]"'


def workflow_of(module: str) -> str | None:
    """Return the workflow whose package holds `module`."""
    packages = {name: point.module.rpartition(".")[0] for name, point in workflow_points().items()}
    return next((name for name, own in packages.items() if own and f"{module}.".startswith(f"{own}.")), None)


def find_absent(dist: str, extra: str) -> Iterator[str]:
    """Yield the packages that an extra of a distribution asks for and that are not installed."""
    for name in packages_of(requires(dist) or [], extra):
        try:
            distribution(name)
        except PackageNotFoundError:
            yield name


def packages_of(requirements: Sequence[str], extra: str) -> list[str]:
    """Return the names of what an extra asks for, out of a distribution's requirements.

    >>> packages_of(["click>=8.5", "numpy>=2.0; extra == 'acoustics'", 'uvicorn; extra == "web"'], "acoustics")
    ['numpy']
    """
    marked = re.compile(rf"([\w.-]+).*;.*\bextra == ['\"]{re.escape(extra)}['\"]")
    return [found[1] for line in requirements if (found := marked.match(line))]
