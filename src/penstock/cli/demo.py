"""`penstock demo`."""

from __future__ import annotations

from pathlib import Path

import click

from penstock.cli.workflows import load_workflow, require, workflows
from penstock.errors import DefinitionError


@click.command(
    epilog="""\b
Examples:
  penstock demo
  penstock demo mydemo --audio ~/recordings
  penstock demo mydemo --scheduler slurm   # on the cluster where you are logged in"""
)
@click.argument("folder", required=False, default="penstock-demo", type=click.Path(path_type=Path))
@click.option(
    "--audio", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Your own recordings."
)
@click.option("--scheduler", metavar="NAME", help="Run it as jobs of this scheduler [on this machine alone].")
@click.option("--workflow", default="acoustics", show_default=True, help="Whose demonstration.")
def demo(folder: Path, audio: Path | None, scheduler: str | None, workflow: str) -> None:
    """Make a small campaign in FOLDER [penstock-demo], run it, and say where to look.

    Without --audio it makes its own data.
    """
    if workflow not in workflows():
        known = ", ".join(workflows()) or "none"
        raise DefinitionError(f"no workflow is called {workflow!r}: installed are {known}")
    require(workflow)
    load_workflow(workflow).demo(folder, audio, scheduler)
