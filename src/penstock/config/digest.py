"""The digest of a stage: what makes its finished tasks stale when it changes (RULE 26)."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from penstock.campaign import Stage


def stage_digest(stage: Stage, root: Path) -> str:
    """Digest what a stage does, not how it is run: no resources, batch, workers, site or retry."""
    meaning = {
        "command": [template.text for template in stage.command],
        "shell": stage.shell,
        "python": function_meaning(stage.python, root),
        "setup": function_meaning(stage.setup, root),
        "products": [[p.name, p.path.text, p.optional, p.taken_from, p.folder] for p in stage.products],
        "params": stage.params,
        "after": [[a.stage, [template.text for template in a.key], a.optional] for a in stage.after],
        "with": stage.follows,
        "where": stage.where.text if stage.where else None,
        "expands": stage.expands,
        "members": stage.members,
        "environment": stage.environment,
        "templates": {name: [path, _file_digest(root / path)] for name, path in stage.templates.items()},
        "version": stage.version,
        "success": [stage.ok_codes, stage.success_log],
    }
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()


def _file_digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def function_meaning(reference: str | None, root: Path) -> Any:
    """Give a function's reference and, when its file is the campaign's own, its syntax."""
    if reference is None:
        return None
    module, _, name = reference.partition(":")
    file = own_module(module, root)
    return [reference, _syntax(file, name, file.stat().st_mtime_ns) if file else None]


def own_module(module: str, root: Path) -> Path | None:
    """Find the file of `module` in the campaign's own folder."""
    base = root.joinpath(*module.split("."))
    return next((file for file in (base.with_suffix(".py"), base / "__init__.py") if file.is_file()), None)


@lru_cache(maxsize=256)
def _syntax(file: Path, name: str, mtime_ns: int) -> list[str]:
    """Dump the function and what it uses of its own module, without comments, docstrings and positions."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return []  # `check` says it
    definitions = dict(_definitions(tree))
    wanted, used = [name], dict[str, ast.stmt]()
    while wanted:
        one = wanted.pop()
        if one in definitions and one not in used:
            used[one] = _bare(definitions[one])
            wanted += [node.id for node in ast.walk(used[one]) if isinstance(node, ast.Name)]
    return [ast.dump(used[one]) for one in sorted(used)]


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    for node in tree.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name, node
            case ast.Assign():
                for target in node.targets:
                    yield from ((part.id, node) for part in ast.walk(target) if isinstance(part, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node
            case _:
                pass


def _bare(node: ast.stmt) -> ast.stmt:
    """Strip docstrings, and the decorators that only make a function a stage."""
    for inner in ast.walk(node):
        if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            inner.decorator_list = [one for one in inner.decorator_list if not _makes_stage(one)]
            if ast.get_docstring(inner, clean=False) is not None:
                inner.body = inner.body[1:] or [ast.Pass()]
    return node


def _makes_stage(decorator: ast.expr) -> bool:
    call = decorator.func if isinstance(decorator, ast.Call) else decorator
    return isinstance(call, ast.Attribute) and call.attr == "stage"
