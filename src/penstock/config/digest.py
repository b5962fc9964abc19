"""The digest of a stage: what makes its finished tasks stale when it changes (RULE 26)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from penstock.campaign import DIGESTS, FileSource, Source, Stage
from penstock.config.closing import is_step
from penstock.config.code import Code
from penstock.config.commands import Commands
from penstock.config.programs import find_needs
from penstock.config.uses import fields_placed, fields_used
from penstock.functions import Folder, find_function


def digest_stages(
    stages: Sequence[Stage], sources: Sequence[Source], root: Path
) -> tuple[tuple[Stage, ...], tuple[str, ...]]:
    """Return the stages with their digests, and all files that were looked for to compute these."""
    code = Code(root)
    data = [source.pattern for source in sources if isinstance(source, FileSource)]
    commands = Commands(code, [*data, *(product.path for stage in stages for product in stage.products)])
    digested = tuple(digested_stage(stage, commands) for stage in stages)
    return digested, tuple(sorted({code.shown(file) for file in code.looked}))


def digested_stage(stage: Stage, commands: Commands) -> Stage:
    """Return a stage with what it is made of: its code, the fields that it uses, its digest."""
    code, root = commands.code, commands.code.root
    functions = [find_function(named, Folder(root)) for named in (stage.python, stage.setup) if named]
    made_of = commands.of_stage(stage) | code.of_functions([function.meaning() for function in functions])
    for path in (*stage.templates.values(), *find_needs(root, stage.needs)):
        made_of |= code.of_file(root / path)
    code.looked.update(root / path for program in stage.programs for path in program.files)
    uses, places = fields_used(stage, root), fields_placed(stage)
    stage = replace(stage, code=dict(sorted(made_of.items())), uses=uses, places=places)
    return replace(stage, digest=digest_of_stage(stage))


def digest_of_stage(stage: Stage) -> str:
    """Digest what a stage does, not how it is run: no resources, batch, workers, site or retry."""
    return DIGESTS + hashlib.sha256(json.dumps(meaning_of(stage), sort_keys=True).encode()).hexdigest()


def meaning_of(stage: Stage) -> dict[str, Any]:
    """Return what a digest is of; of a step of a closing that does not depend on the stages that are closed."""
    if stage.closing:
        return {
            "step": [stage.closing.step, stage.closing.about],
            "products": [[p.name, p.path.text] for p in stage.products],
        }
    meaning: dict[str, Any] = {
        "command": [template.text for template in stage.command],
        "shell": stage.shell,
        "python": [stage.python, stage.setup],
        "code": stage.code,
        "products": [[p.name, p.path.text, p.optional, p.taken_from, p.folder] for p in stage.products],
        "params": stage.params,
        "after": [
            [
                a.stage,
                [template.text for template in a.key],
                a.optional,
                *([a.products] if a.products else []),
            ]
            for a in stage.after
            if not is_step(a.stage)
        ],
        "with": stage.follows,
        "where": stage.where.text if stage.where else None,
        "expands": stage.expands,
        "members": stage.members,
        "environment": stage.environment,
        "templates": stage.templates,
        "version": stage.version,
        "success": [stage.ok_codes, stage.success_log],
    }
    if stage.fields:
        meaning["fields"] = sorted(stage.fields)
    if stage.programs:
        meaning["programs"] = [[p.name, p.build, p.executable, p.files] for p in stage.programs]
    if stage.container:
        meaning["container"] = stage.container
    return meaning
