"""Workflows, as plug-ins of the command line."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, cast

import click

from penstock.errors import DefinitionError


def workflows() -> list[str]:
    """Return the names of the workflows that are installed."""
    from penstock.extras import workflow_points

    return sorted(workflow_points())


@cache
def load_workflow(name: str) -> Any:
    """Return the plug-in of a workflow: it has `init`, `group` and `demo`.

    Its commands do nothing, but show their help, where a package that they import is not installed.
    """
    from penstock.extras import workflow_points

    plugin = workflow_points()[name].load()
    for command in (plugin.init, *plugin.group.commands.values()):
        command.callback = needing(name, cast(click.Command, command).callback)
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
