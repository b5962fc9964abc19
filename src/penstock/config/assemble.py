"""From a draft to the frozen campaign: shape, sources, stages, sites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.campaign import Campaign, Site
from penstock.config.completeness import check_complete
from penstock.config.draft import Draft
from penstock.config.models import Definition, SiteTable
from penstock.config.overrides import apply_overrides
from penstock.config.places import Places
from penstock.config.shape import shaped
from penstock.config.sources import assemble_sources
from penstock.config.stages import assemble_stages

_OPTIONS = (
    "host",
    "shared_files",
    "array_size",
    "max_parallel",
    "max_walltime",
    "max_memory",
    "group",
    "lines",
    "fetch",
)


def assemble(draft: Draft) -> Campaign:
    """Check a draft in full and freeze it."""
    tables, overridden = apply_overrides(draft.tables, draft.overrides)
    places = Places(draft.file, draft.lines, overridden)
    definition = shaped(tables, places)
    if definition.close:
        level = next(iter(definition.close))
        raise places.error(("close", level), f"[close.{level}] is not supported by this version; remove it")
    sources, fields = assemble_sources(definition, draft.root, places)
    check_complete(definition, fields, places)
    stages = assemble_stages(definition, fields, draft.root, places)
    return Campaign(
        name=definition.campaign.name,
        root=draft.root,
        levels=tuple(definition.campaign.levels),
        sources=sources,
        stages=stages,
        sites=_sites(definition),
        derive={name: expression for source in sources for name, expression in source.derive.items()},
        formats=fields.formats,
        types=fields.types,
        complete=definition.units.complete,
        overrides=tuple(draft.overrides),
        file=draft.file,
    )


def _sites(definition: Definition) -> dict[str, Site]:
    sites = {name: _site(name, table) for name, table in definition.site.items()}
    sites.setdefault("local", Site("local"))
    return sites


def _site(name: str, table: SiteTable) -> Site:
    options: dict[str, Any] = {
        key: getattr(table, key) for key in _OPTIONS if getattr(table, key) not in (None, [])
    }
    return Site(
        name=name,
        scheduler=table.scheduler,
        workdir=Path(table.workdir) if table.workdir else None,
        cores=table.cores,
        python=table.python,
        setup=tuple(table.setup),
        environment=table.environment,
        max_jobs=table.max_jobs,
        max_queued_tasks=table.max_queued_tasks,
        options=options,
    )
