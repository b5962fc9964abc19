"""`penstock site`."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from penstock.cli.complete import complete_site
from penstock.cli.options import campaign_option, json_option, print_json
from penstock.cli.siteshow import definition_lines, recorded, state_lines, what_is_known
from penstock.display import count, visible
from penstock.errors import DefinitionError

if TYPE_CHECKING:
    from penstock.campaign import Campaign, Site
    from penstock.site import ClusterSite

T = TypeVar("T")


@click.group(
    epilog="""\b
Examples:
  penstock site list
  penstock site login coulson
  penstock site test cluster
  penstock site provision coulson"""
)
def site() -> None:
    """Show and test the sites where jobs run.

    A site is a table `[site.NAME]` of the definition; `local`, this machine, always exists.
    """


def name_argument(command: Any) -> Any:
    """Add NAME: the command gets `name`."""
    return click.argument("name", metavar="NAME", shell_complete=complete_site)(command)


@site.command(
    "list",
    epilog="""\b
Examples:
  penstock site list
  penstock site list --json""",
)
@campaign_option
@json_option
def list_sites(root: Path, as_json: bool) -> None:
    """List the sites: scheduler, queue and active jobs. A star marks the site of stages that name none."""
    from penstock.ledger.reading.queuestate import out_by_site

    campaign = load(root)
    out = recorded(root, out_by_site, {})
    rows: list[dict[str, Any]] = [
        {
            "name": each.name, "scheduler": each.scheduler, "queue": each.queue, "default": name == campaign.site,
            "jobs": out.get(name, (0, 0))[0], "tasks": out.get(name, (0, 0))[1],
        }
        for name, each in campaign.sites.items()
    ]  # fmt: skip
    if as_json:
        print_json(rows)
        return
    width, wide = (max(len(str(row[key])) for row in rows) for key in ("name", "scheduler"))
    for row in rows:
        mark = "*" if row["default"] else " "
        queue = f"queue {row['queue']}" if row["queue"] else ""
        jobs = f"{count(row['jobs'], 'active job')} with {count(row['tasks'], 'task')}" if row["jobs"] else ""
        about = ", ".join(filter(None, [queue, jobs]))
        click.echo(visible(f"{mark} {row['name']:<{width}}  {row['scheduler']:<{wide}}  {about}".rstrip()))


@site.command(
    epilog="""\b
Examples:
  penstock site show cluster
  penstock site show cluster --ask"""
)
@name_argument
@click.option("--ask", is_flag=True, help="Ask the scheduler for its limits now.")
@campaign_option
@json_option
def show(name: str, ask: bool, root: Path, as_json: bool) -> None:
    """Show the settings of the site NAME, the limits of its scheduler, and its active jobs."""
    campaign = load(root)
    found = find_site(campaign, name)
    limits = asdict(cluster_of(campaign, name).limits()) if ask else None
    told: dict[str, Any] = {
        "name": name,
        "scheduler": found.scheduler,
        **what_is_known(campaign, name, limits),
    }
    if as_json:
        print_json(told)
        return
    click.echo(visible(f"{name}: {found.scheduler}" + (", the default" if told["default"] else "")))
    for line in (*definition_lines(told["definition"]), *state_lines(found, told)):
        click.echo(visible(f"  {line}"))


@site.command(
    epilog="""\b
Examples:
  penstock site test cluster
  penstock site test cluster --wait 1h
  penstock site test cluster --json"""
)
@name_argument
@click.option("--wait", default="10min", show_default=True, metavar="TIME", help="How long to wait, at most.")
@campaign_option
@json_option
def test(name: str, wait: str, root: Path, as_json: bool) -> None:
    """Test the site NAME with one small job array that does no work.

    Programs of the campaign's folder that are compiled for another machine, or need a newer C library or an interpreter
    that is not there, are named first, and the programs `[program.NAME]` of its stages are built; when something is
    wrong with these, nothing is submitted.

    It is submitted with the queue, lines, set-up, environment and container of every job. Reports what the scheduler
    is and allows, how long the array waited, the nodes, their Python and clocks, how soon their files appear here, and
    the names of environment variables. Leaves nothing behind. Exit code: 0 all well, 1 a fault was found, 3 the
    scheduler cannot be asked.
    """
    from penstock.clock import SystemClock
    from penstock.site.programs import programs_of
    from penstock.site.trial import Trial

    campaign = load(root)
    stages = [stage for stage in campaign.stages if campaign.site_of(stage).name == name]
    trial = Trial(
        cluster_of(campaign, name),
        SystemClock(),
        wait_s=seconds_of(wait),
        programs=programs_of(stages, campaign.root),
        built=list({program.name: program for stage in stages for program in stage.programs}.values()),
        tell=lambda line: click.echo(visible(line), err=True),
    )
    findings = trial.run()
    if as_json:
        print_json(findings.to_json())
    else:
        for line in findings.to_text().splitlines():
            click.echo(visible(line))
    sys.exit(findings.exit_code)


@site.command(
    epilog="""\b
Examples:
  penstock site login coulson
  penstock site login coulson --take-over"""
)
@name_argument
@click.option(
    "--take-over", is_flag=True, help="Take this campaign's folder there from the machine that had it before."
)
@campaign_option
def login(name: str, take_over: bool, root: Path) -> None:
    """Log in to the site NAME, which is reached by SSH: its password or code is asked for here, once.

    All other commands use this connection, and none of them ever tries to log in. It stays open after the terminal is
    closed, until this machine sleeps or the host ends it. The host's key must be known to `ssh`.
    """
    from penstock.transports.protocol import NeedsLogin

    campaign = load(root)
    host = find_site(campaign, name).host
    cluster = cluster_of(campaign, name)
    way = cluster.transport
    if not isinstance(way, NeedsLogin):
        raise DefinitionError(f"site '{name}' is not reached by SSH: there is nothing to log in to")
    click.echo(f"{name}: logged in to {host}" if way.login() else f"{name}: already logged in to {host}")
    if take_over and cluster.far:
        cluster.far.take_over()
        click.echo(f"{name}: the campaign's folder there is this machine's now")


@site.command(
    epilog="""\b
Examples:
  penstock site provision coulson
  penstock site provision coulson --upgrade"""
)
@name_argument
@click.option("--upgrade", is_flag=True, help="Choose the versions anew.")
@click.option(
    "--list", "listing", is_flag=True, help="List what was installed and built there, and who uses it."
)
@click.option("--remove", metavar="DIGEST", multiple=True, help="Remove one of these from there.")
@click.option("--unused", is_flag=True, help="Remove those that no campaign uses.")
@campaign_option
@json_option
def provision(
    name: str, upgrade: bool, listing: bool, remove: tuple[str, ...], unused: bool, root: Path, as_json: bool
) -> None:
    """Install the `requirements` of the site NAME there, for stages that are Python functions.

    The packages are chosen and downloaded here, as wheels for the machine and the Python there; what was chosen once is
    used again until the requirements change. There, neither pip nor a network is needed. The Python of all jobs of the
    site has them from then on.

    With --list, --remove or --unused nothing is installed: these are about all environments, and programs that were
    built, of all campaigns in the workdir of the site. What a job needs that is not over stays.
    """
    from penstock.site.provision import Provision, clear

    campaign = load(root)
    found = find_site(campaign, name)
    if remove or unused:
        gone = clear(found, campaign.root, remove, unused=unused)
        click.echo(f"{name}: {len(gone)} removed", err=True)
    if listing or remove or unused:
        list_things(found, campaign.root, as_json=as_json)
        return
    work = Provision(found, campaign.root, tell=lambda line: click.echo(visible(f"{name}: {line}"), err=True))
    made, was_there = work.run(anew=upgrade)
    if as_json:
        print_json({"installed": not was_there, "python": made.python, **asdict(made)})
        return
    click.echo(visible(f"{name}: {made}"))
    click.echo(visible(f"  {'was there already' if was_there else 'installed'}: {made.folder}"))


def list_things(found: Site, root: Path, *, as_json: bool) -> None:
    """Print what was installed and built at a site."""
    from penstock.site.cluster import mark_of
    from penstock.site.inventory import Inventory

    things = Inventory(found, root).take()
    if as_json:
        print_json([asdict(thing) for thing in things])
        return
    for thing in things:
        click.echo(visible(thing.to_text(us=mark_of(root), now=time.time())))
    if not things:
        click.echo(f"{found.name}: nothing is installed or built there")


def seconds_of(text: str) -> float:
    """Read a duration as definitions write it."""
    from penstock.config.amounts import seconds

    try:
        return seconds(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--wait") from None


def load(root: Path) -> Campaign:
    """Load the definition without checking its stages."""
    from penstock.config import load as load_definition

    return load_definition(root)


def find_site(campaign: Campaign, name: str) -> Site:
    """Return a site of the definition; raises DefinitionError that names the nearest."""
    from penstock.config.places import nearest

    if name not in campaign.sites:
        raise DefinitionError(
            f"there is no site {name!r}; {nearest(name, list(campaign.sites))}", file=campaign.file
        )
    return campaign.sites[name]


def cluster_of(campaign: Campaign, name: str) -> ClusterSite:
    """Return a site that has a scheduler to ask; raises DefinitionError for this machine."""
    from penstock.site import Sites

    if find_site(campaign, name).is_here:
        raise DefinitionError(
            f"site '{name}' is this machine and has no scheduler to test: use `penstock run`"
        )
    return Sites(campaign).open_cluster(name)
