"""Workflows, as plug-ins of the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, Protocol

import click

from penstock.errors import DefinitionError


class Workflow(Protocol):
    """What the entry point of a workflow names: a module, or any object, that has three commands.

    `penstock init NAME …`, `penstock NAME …` and `penstock demo NAME …` go to them.
    """

    @property
    def init(self) -> click.Command:
        """Write a definition for the data that its options name, and say what comes next."""
        ...

    @property
    def group(self) -> click.Group:
        """What else a person asks of the workflow, a command each."""
        ...

    @property
    def demo(self) -> click.Command:
        """Make a small campaign, run it, say where to look; the first line of its help is listed."""
        ...


PARTS: dict[str, type[click.Command]] = {"init": click.Command, "group": click.Group, "demo": click.Command}


def workflows() -> list[str]:
    """Return the names of the workflows that are installed."""
    from penstock.extras import workflow_points

    return sorted(workflow_points())


@cache
def load_workflow(name: str) -> Workflow:
    """Return the plug-in of a workflow.

    Its commands do nothing, but show their help, where a package that they import is not installed.
    Raises DefinitionError if it lacks one of them.
    """
    from penstock.extras import workflow_points

    point = workflow_points()[name]
    plugin = point.load()
    for wanted, kind in PARTS.items():
        if not isinstance(getattr(plugin, wanted, None), kind):
            raise DefinitionError(
                f"the workflow {name} has no {wanted}: {point.value} must have a click.{kind.__name__} called so"
            )
    for command in (plugin.init, plugin.demo, *plugin.group.commands.values()):
        command.callback = needing(name, command.callback)
    return plugin


def needing(name: str, work: Callable[..., Any] | None) -> Callable[..., Any] | None:
    """Return `work`, which first makes sure that all that the workflow imports is installed."""
    if work is None:
        return None

    @wraps(work)
    def checked(*arguments: Any, **options: Any) -> Any:
        require(name)
        return work(*arguments, **options)

    return checked


def require(name: str) -> None:
    """Raise DefinitionError if something that the workflow imports is not installed."""
    from penstock.extras import explain_missing

    if why := explain_missing(name):
        raise DefinitionError(why)
