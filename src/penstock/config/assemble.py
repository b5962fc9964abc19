"""From a draft to the frozen campaign: shape, sources, stages, sites."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.campaign import Campaign, Partition, Site, Stage
from penstock.config.channels import channels_of, check_heartbeat
from penstock.config.closing import closings_of, with_steps
from penstock.config.completeness import check_complete
from penstock.config.digest import digest_stages
from penstock.config.draft import Draft
from penstock.config.models import Definition, SiteTable
from penstock.config.moving import destinations_of
from penstock.config.overrides import apply_overrides
from penstock.config.places import Places, nearest
from penstock.config.programs import assemble_programs, check_needs
from penstock.config.provenance import provenance_of
from penstock.config.publishing import publications_of
from penstock.config.shape import shaped
from penstock.config.sources import assemble_sources
from penstock.config.stages import assemble_stages


def assemble(draft: Draft) -> Campaign:
    """Check a draft in full and freeze it."""
    tables, overridden = apply_overrides(draft.tables, draft.overrides)
    places = Places(draft.file, draft.lines, overridden)
    definition = shaped(tables, places)
    sources, fields = assemble_sources(definition, draft.root, places)
    check_complete(definition, fields, sources, places)
    programs = assemble_programs(definition, draft.root, places)
    check_needs(definition, draft.root, places)
    closings = closings_of(definition, fields, places)
    stages = assemble_stages(with_steps(definition, closings, fields), fields, places, programs)
    stages = tuple(replace(stage, closing=closings.get(stage.name)) for stage in stages)
    sites = _sites(definition, places)
    default = _default_site(definition, places)
    stages = in_containers(stages, sites, default)
    stages, looked = digest_stages(stages, sources, draft.root)
    return Campaign(
        name=definition.campaign.name,
        root=draft.root,
        levels=tuple(definition.campaign.levels),
        sources=sources,
        stages=stages,
        sites=sites,
        derive={name: expression for source in sources for name, expression in source.derive.items()},
        formats=fields.formats,
        types=fields.types,
        complete=definition.units.complete,
        site=default,
        notify=channels_of(definition.notify),
        publish=publications_of(definition, stages, fields, places),
        move=destinations_of(definition, stages, fields, places),
        provenance=provenance_of(definition.provenance),
        heartbeat=check_heartbeat(definition.campaign.heartbeat, places),
        overrides=tuple(draft.overrides),
        file=draft.file,
        looked=looked,
    )


def in_containers(stages: Sequence[Stage], sites: Mapping[str, Site], default: str) -> tuple[Stage, ...]:
    """Return the stages with the image that each runs in: that of its site, a follower's of what it follows."""
    found: dict[str, Stage] = {}
    for stage in stages:
        image = found[stage.follows].container if stage.follows else sites[stage.site or default].container
        found[stage.name] = replace(stage, container=image)
    return tuple(found.values())


def _sites(definition: Definition, places: Places) -> dict[str, Site]:
    sites = {name: _site(name, table, places) for name, table in definition.site.items()}
    sites.setdefault("local", Site("local"))
    return sites


WORKDIR = "~/penstock"  # where inputs and products travel to, unless the site names another folder

#: fields of a site that have another name or form in `campaign`
CONVERTED = {
    "max_walltime", "max_memory", "memory", "transport", "visibility", "workdir", "commands", "queue", "partition",
    "partitions", "shared_files", "paths", "disk",
}  # fmt: skip


def _site(name: str, table: SiteTable, places: Places) -> Site:
    if table.queue and table.partition:
        raise places.error(
            ("site", name, "partition"), f"[site.{name}] has a queue and a partition: keep one"
        )
    if table.partitions and (table.queue or table.partition):
        raise places.error(
            ("site", name, "partitions"), f"[site.{name}] has a queue and a choice of `partitions`: keep one"
        )
    given: dict[str, Any] = table.model_dump(exclude=CONVERTED) | {
        "setup": tuple(table.setup),
        "requirements": tuple(table.requirements),
        "lines": tuple(table.lines),
        "licences": tuple(table.licences),
        "partitions": tuple(
            Partition(p.name, p.max_walltime, p.max_memory, p.gpus) for p in table.partitions
        ),
    }
    shared = not table.host if table.shared_files is None else table.shared_files
    return Site(
        name=name,
        transport=table.transport or ("ssh" if table.host else "local"),
        workdir=_folder(table.workdir or (None if shared else WORKDIR), table.host),
        shared_files=shared,
        paths=_mapped(name, table, places),
        disk_bytes=table.disk,
        commands=_folder(table.commands, table.host),
        memory_bytes=table.memory,
        queue=table.queue or table.partition,
        max_walltime_s=table.max_walltime,
        max_memory_bytes=table.max_memory,
        visibility_s=table.visibility,
        **given,
    )


def _mapped(name: str, table: SiteTable, places: Places) -> dict[str, str]:
    for here, there in table.paths.items():
        if not (here.startswith("/") and there.startswith("/")):
            raise places.error(
                ("site", name, "paths"), f"[site.{name}] maps {here!r} to {there!r}: both must be absolute"
            )
    return {os.path.normpath(here): os.path.normpath(there) for here, there in table.paths.items()}


def _folder(text: str | None, host: str | None) -> Path | None:
    if not text:
        return None
    return Path(text) if host else Path(text).expanduser()


def _default_site(definition: Definition, places: Places) -> str:
    name = definition.campaign.site
    known = ["local", *definition.site]
    if name not in known:
        raise places.error(("campaign", "site"), f"there is no site {name!r}; {nearest(name, known)}")
    return name
