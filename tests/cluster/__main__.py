"""`python -m tests.cluster up slurm`: a real scheduler on this machine, for a developer to play with."""

from __future__ import annotations

import shlex

import click
from tests.cluster.base import ROOT, USER, Cluster
from tests.cluster.daemon import Broken
from tests.cluster.gridengine import GridEngine
from tests.cluster.packages import Unavailable
from tests.cluster.slurm import Slurm
from tests.cluster.torque import Torque

NAMES = ("slurm", "gridengine", "torque")
name = click.argument("name", type=click.Choice(NAMES))


def cluster_of(which: str, *, accounting: bool = False) -> Cluster:
    """Return the cluster of a name; it can stand beside those of the tests."""
    home = ROOT / f"up-{which}"
    if which == "gridengine":
        return GridEngine(home)
    if which == "torque":
        return Torque(home)
    return Slurm(home, accounting=accounting)


@click.group()
def main() -> None:
    """Bring real schedulers up on this machine, and down again."""


@main.command()
@name
@click.option("--accounting", is_flag=True, help="Slurm with slurmdbd.")
def up(name: str, *, accounting: bool) -> None:
    """Bring a scheduler up, anew if it is up, and print the environment that its commands need."""
    cluster = cluster_of(name, accounting=accounting)
    cluster.down()
    try:
        cluster.up()
    except (Unavailable, Broken) as error:
        raise click.ClickException(str(error)) from None
    for variable, value in cluster.env.items():
        click.echo(f"export {variable}={shlex.quote(value)}")
    click.echo(
        f"# jobs may run as {USER}, who may write in {cluster.work}; logs: {cluster.home}/log", err=True
    )


@main.command()
@name
@click.option("--wipe", is_flag=True, help="Delete its state and logs as well.")
def down(name: str, *, wipe: bool) -> None:
    """End a scheduler and all its jobs."""
    cluster_of(name).down(wipe=wipe)


main()
