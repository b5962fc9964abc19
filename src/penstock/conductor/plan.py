"""The dry run: what `run` would do now, and why, computed on a private copy of the ledger."""

from __future__ import annotations

import math
import shlex
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from penstock import config
from penstock.campaign import Campaign, Stage
from penstock.clock import Clock, SystemClock
from penstock.conductor.arrays import ArraySubmitter
from penstock.conductor.batching import LOCAL_S, batch_size
from penstock.conductor.context import Context
from penstock.conductor.discovery import Discoverer, Discovery, check_found
from penstock.conductor.durations import Durations
from penstock.conductor.elements import Elements
from penstock.conductor.hearing import Hearing
from penstock.conductor.products import check_products
from penstock.conductor.replacing import in_the_way
from penstock.conductor.scope import Only
from penstock.conductor.slots import SlotSubmitter
from penstock.display import count, show_duration, them
from penstock.errors import DefinitionError
from penstock.ledger import Ledger
from penstock.ledger.order import wake
from penstock.ledger.pauses import end_halts
from penstock.ledger.registration import register
from penstock.ledger.unitchanges import retry_unbegun
from penstock.ledger.units import Values
from penstock.rendering import Item
from penstock.schedulers.text import shown
from penstock.site import FeedingSite, LocalSite, Sites
from penstock.site.builds import in_one_line

SHOWN = 3
UNTOLD = {
    "ready": "not run yet",
    "waiting": "its upstreams are not done",
}  # the reason where none is recorded


@dataclass(frozen=True, slots=True)
class Reason:
    """How many tasks are in a state for the same reason."""

    state: str
    why: str
    tasks: int


@dataclass(frozen=True, slots=True)
class StagePlan:
    """What would be done at one stage."""

    name: str
    each: str
    tasks: Mapping[str, int]
    batches: int
    batch_size: int
    workers: int
    reasons: Sequence[Reason]
    first: Sequence[str]
    first_lines: Sequence[Mapping[str, Any]]
    site: str = "local"
    outlook: Sequence[str] = ()
    """How the ready tasks would run where the stage runs, and at the clusters in the definition."""
    submit: Sequence[str] = ()
    """Of a cluster: the command that submits its first array."""
    script: str | None = None
    """Of a cluster: the job script of that array."""
    order: str = ""
    """Which of its tasks go next, where that is not simply the oldest one."""
    taken: Sequence[str] = ()
    """Paths of products where a file lies that penstock did not make."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What `run` would do now."""

    campaign: str
    found: int
    new: int
    unsettled: int
    script: str | None
    stages: Sequence[StagePlan] = field(default_factory=list[StagePlan])

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)

    def to_text(self) -> str:
        """Return it as a person reads it."""
        lines = [f"{self.campaign}: {count(self.found, 'unit')} found, {self.new:,} of them new"]
        if self.unsettled:
            lines.append(f"  {self.unsettled} not at rest yet")
        for stage in self.stages:
            lines += stage_text(stage)
        return "\n".join([*lines, f"each runner is started by: {self.script}"] if self.script else lines)


def stage_text(stage: StagePlan) -> list[str]:
    """Return the lines about one stage."""
    counts = ", ".join(f"{n:,} {state}" for state, n in stage.tasks.items()) or "no tasks"
    lines = [f"{stage.name} (each {stage.each}): {counts}"]
    lines += [f"  {line}" for line in (*stage.outlook, *([stage.order] if stage.order else []))]
    lines += [f"  {r.tasks} {r.state}: {r.why}" for r in stage.reasons]
    if stage.taken:
        more = ", …" if len(stage.taken) > SHOWN else ""
        lines.append(
            f"  {count(len(stage.taken), 'product')} already present but not made by penstock:"
            f" {', '.join(stage.taken[:SHOWN])}{more}; move {them(len(stage.taken))} away, or use --overwrite"
        )
    lines += [f"  $ {command}" for command in stage.first]
    if stage.script:
        lines += [
            f"  at {stage.site} its first array is submitted by",
            f"  $ {shown(stage.submit)}",
            "  with the script",
        ]
        lines += [f"    {line}" for line in stage.script.splitlines()]
    return lines


def plan(campaign: Campaign, *, clock: Clock | None = None, only: Only | None = None) -> Plan:
    """Return what `run` would do now, with everything or with `only` what is requested; nothing is written.

    Raises DefinitionError as `run` would: nothing found, two tasks with one product, a missing executable.
    """
    config.check(campaign)
    Sites(campaign).check()
    with drafted(campaign, clock=clock) as (context, found):
        end_halts(context.ledger)
        with context.ledger.transaction() as db:
            retry_unbegun(db, context.graph)
        wake(context.ledger, context.clock.now(), context.longest_delay_s)
        check_found(context.ledger, campaign, found)
        check_products(context)
        context.scope.limit(only)
        context.scope.refresh(context.ledger, context.graph)
        stages = [plan_stage(context, stage) for stage in campaign.stages if context.scope.has(stage.name)]
        sites = context.sites
        script = next((s for n in sites.used() if (s := start_of(sites.feeding_site(n)))), None)
        return Plan(campaign.name, found.present, found.new, found.unsettled, script, stages)


@contextmanager
def drafted(campaign: Campaign, *, clock: Clock | None = None) -> Generator[tuple[Context, Discovery]]:
    """Give a private copy of the record as it would be after a scan of the sources; it is discarded afterwards."""
    clock = clock or SystemClock()
    with Ledger.draft(campaign.root) as ledger:
        graph = register(ledger, campaign, config.to_json(campaign), now=clock.now())
        values, durations = Values(ledger.db, campaign), Durations(ledger, graph)
        context = Context(ledger, campaign, graph, values, Sites(campaign), clock, durations, {})
        yield context, Discoverer(context).discover()


def start_of(site: FeedingSite | None) -> str | None:
    """Return how a runner of this machine is started."""
    if not isinstance(site, LocalSite):
        return None
    return shlex.join(site.runner_argv(site.folder / "runner-….pyz", site.job_folder("p…")))


def submitter_of(context: Context, stage: Stage) -> SlotSubmitter | ArraySubmitter:
    """Return what would submit the tasks of a stage."""
    name = context.sites.name_of(stage)
    if site := context.sites.feeding_site(name):
        return SlotSubmitter(context, site)
    cluster = context.sites.cluster(name)
    return ArraySubmitter(context, cluster, Elements(context, cluster, Hearing(context)))


def plan_stage(context: Context, stage: Stage) -> StagePlan:
    """Return what would be done at one stage."""
    submitter = submitter_of(context, stage)
    ledger, campaign, number = context.ledger, context.campaign, context.graph.ids[stage.name]
    where = context.scope.where
    states = states_of(ledger, number) if where == "true" else count_states(ledger, number, where)
    ready = states.get("ready", 0)
    size = submitter.batch_size(stage, ready)
    units = [row["unit"] for lane in submitter.lanes(stage) for row in submitter.first(lane, SHOWN)][:SHOWN]
    lines, wrong = previewed(submitter, stage, units) if ready else ([], [])
    submit, script = (submitter.draft(stage) if isinstance(submitter, ArraySubmitter) else None) or ((), None)
    return StagePlan(
        name=stage.name,
        each=campaign.levels[stage.level - 1] if stage.level else "campaign",
        tasks=states,
        batches=math.ceil(ready / size),
        batch_size=size,
        workers=stage.workers,
        reasons=[*reasons_of(ledger, number, states, where), *wrong],
        first=[command_text(line, stage) for line in lines],
        first_lines=lines,
        site=context.sites.name_of(stage),
        outlook=[*outlook(context, stage, submitter, ready), *builds_of(campaign, stage)] if ready else (),
        submit=submit,
        script=script,
        order=describe_order(campaign, stage),
        taken=in_the_way(context, stage) if ready else (),
    )


def describe_order(campaign: Campaign, stage: Stage) -> str:
    """Describe which tasks of a stage go next, and together."""
    by = {"oldest": "", "newest": "newest first"}.get(
        str(stage.order), f"by {getattr(stage.order, 'text', '')}"
    )
    turns = f"of each {campaign.levels[stage.fair - 1]} in turn" if stage.fair else ""
    arrays = f"arrays of one {campaign.levels[stage.array - 1]}" if stage.array else ""
    first = f"priority {stage.priority}" if stage.priority else ""
    most = f"at most {stage.max_running:,} at once" if stage.max_running else ""
    return ", ".join(filter(None, (by, turns, arrays, most, first)))


def previewed(
    submitter: SlotSubmitter | ArraySubmitter, stage: Stage, units: Sequence[int]
) -> tuple[list[dict[str, Any]], list[Reason]]:
    """Render some tasks, with the reasons why others cannot be."""
    lines, wrong = list[dict[str, Any]](), Counter[str]()
    for unit in units:
        try:
            lines += submitter.preview(stage, [unit])
        except DefinitionError as error:
            wrong[error.message] += 1
    return lines, [Reason("ready", f"cannot run: {why}", n) for why, n in wrong.items()]


def outlook(
    context: Context, stage: Stage, submitter: SlotSubmitter | ArraySubmitter, ready: int
) -> list[str]:
    """Describe how the ready tasks of a stage would run: at its site, and at clusters that it could be moved to."""
    campaign, usage = context.campaign, context.durations.usage(stage.name)
    if isinstance(submitter, ArraySubmitter):
        return [array_outlook(submitter.site.name, ready, submitter.size(stage))]
    cores, at_once = submitter.cores, submitter.batches_at_once(stage) * submitter.workers(stage)
    most = f" and at most {stage.batch:,} tasks" if isinstance(stage.batch, int) else ""
    batches = f"in batches of about {show_duration(LOCAL_S)}{most}" if ready > 1 else "by itself"
    here = f"here {count(min(ready, at_once), 'task')} at once on {count(cores, 'core')}, {batches}"
    size = batch_size(stage.batch, usage, workers=stage.workers)
    clusters = [site.name for site in campaign.sites.values() if not site.is_here]
    return [here, *(array_outlook(name, ready, size) for name in clusters)]


def builds_of(campaign: Campaign, stage: Stage) -> list[str]:
    """Name the programs that have to be built before the tasks of a stage can run."""
    where = "" if (site := campaign.site_of(stage)).is_here else f" at {site.name}"
    programs = {p.name: p for link in campaign.chain(stage) for p in link.programs}.values()
    return [f"{p.name} is built first{where}, unless it is: `{in_one_line(p.build)}`" for p in programs]


def array_outlook(site: str, ready: int, size: int) -> str:
    """Describe how many elements so many tasks need at a cluster."""
    elements = count(math.ceil(ready / size), "array element")
    return f"at site {site} {elements} of up to {count(min(size, ready), 'task')}"


def states_of(ledger: Ledger, stage_id: int) -> dict[str, int]:
    """Return how many tasks of a stage are in which state."""
    sql = "SELECT state, n FROM tally WHERE stage = ? AND unit = 1 AND n > 0"
    return dict(ledger.db.execute(sql, (stage_id,)).fetchall())


def count_states(ledger: Ledger, stage_id: int, where: str) -> dict[str, int]:
    """Count those tasks of a stage by state for which an SQL condition holds."""
    sql = f"SELECT state, count(*) FROM task WHERE stage = ? AND {where} GROUP BY state"
    return dict(ledger.db.execute(sql, (stage_id,)).fetchall())


def reasons_of(ledger: Ledger, stage_id: int, states: Mapping[str, int], where: str) -> list[Reason]:
    """Return why tasks are in the state they are in, most first; `states` counts them all."""
    rows = ledger.db.execute(
        "SELECT state, coalesce(stale, why), count(*) FROM task WHERE stage = ?"
        " AND (stale IS NOT NULL OR (why IS NOT NULL AND state <> 'done'))"
        f" AND {where} GROUP BY 1, 2",
        (stage_id,),
    )
    told = Counter({(row[0], row[1]): row[2] for row in rows})
    for state, n in states.items():
        if state not in ("done", "stale"):
            explained = sum(told[pair] for pair in told if pair[0] == state)
            told[state, UNTOLD.get(state, state)] += n - explained
    return [
        Reason("stale" if state == "done" else state, why, n) for (state, why), n in told.most_common(5) if n
    ]


def command_text(line: Mapping[str, Any], stage: Stage) -> str:
    """Return what would be run; products, programs and inputs stand under the names that they have in the campaign."""
    if stage.python:
        return f"{stage.python} for {line['k']}"
    names = {f"product.{name}": made["path"] for name, made in line.get("products", {}).items()}
    names |= {f"program.{program.name}": program.executable for program in stage.programs}
    text = shlex.join(item_text(item, names) for item in line["argv"])
    settings = "".join(f"{k}={shlex.quote(item_text(v, names))} " for k, v in line.get("env", {}).items())
    return settings + text


def item_text(item: Item, names: Mapping[str, str]) -> str:
    """Return one argument as text."""
    if isinstance(item, str):
        return item
    if isinstance(item, dict):
        name = str(item["ref"])  # type: ignore[reportUnknownArgumentType]
        return name[6:] if name.startswith("input.") else names.get(name, f"<{name}>")
    return "".join(item_text(piece, names) for piece in item)
