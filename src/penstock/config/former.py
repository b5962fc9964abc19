"""The digests of stages as records have them that were begun before digests had a format.

They show that a definition did not change although its digest is computed in another way now. Nothing else needs them.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from penstock.campaign import Stage


def former_digests(stage: Stage, root: Path) -> set[str]:
    """Return the digests that such a record may have of a stage: each version of Python wrote syntax in its own way."""
    return {former_digest(stage, root, version) for version in (11, 12, 13)}


def former_digest(stage: Stage, root: Path, version: int) -> str:
    """Return the digest of a stage, with syntax as Python 3.`version` wrote it."""
    meaning = {
        "command": [template.text for template in stage.command],
        "shell": stage.shell,
        "python": function_meaning(stage.python, root, version),
        "setup": function_meaning(stage.setup, root, version),
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


def function_meaning(reference: str | None, root: Path, version: int) -> Any:
    """Give a function's reference and, when its file is the campaign's own, its syntax."""
    if reference is None:
        return None
    module, _, name = reference.partition(":")
    base = root.joinpath(*module.split("."))
    file = next((one for one in (base.with_suffix(".py"), base / "__init__.py") if one.is_file()), None)
    return [reference, _syntax(file, name, version) if file else None]


def _syntax(file: Path, name: str, version: int) -> list[str]:
    """Dump the function and what it uses of its own module, without comments, docstrings and positions."""
    try:
        tree = ast.parse(file.read_bytes())
    except (SyntaxError, ValueError):
        return []
    definitions = dict(_definitions(tree))
    wanted, used = [name], dict[str, ast.stmt]()
    while wanted:
        one = wanted.pop()
        if one in definitions and one not in used:
            used[one] = _bare(definitions[one])
            wanted += [node.id for node in ast.walk(used[one]) if isinstance(node, ast.Name)]
    return [dump(used[one], version) for one in sorted(used)]


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


def dump(value: object, version: int) -> str:
    """Write syntax as `ast.dump` of Python 3.`version` does, whichever this one is."""
    if isinstance(value, list):
        return f"[{', '.join(dump(one, version) for one in cast('list[object]', value))}]"
    if not isinstance(value, ast.AST):
        return repr(value)
    fields = {name: getattr(value, name, None) for name in value._fields if name != "type_params"}
    if version >= 12 and isinstance(value, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        fields["type_params"] = getattr(value, "type_params", [])
    told = {
        name: field for name, field in fields.items() if not _is_left_out(type(value), name, field, version)
    }
    return f"{type(value).__name__}({', '.join(f'{n}={dump(f, version)}' for n, f in told.items())})"


def _is_left_out(kind: type, name: str, field: object, version: int) -> bool:
    return (field is None and getattr(kind, name, ...) is None) or (version >= 13 and field == [])
