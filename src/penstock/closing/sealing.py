"""The step `seal`: the document that says what a closed group consists of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from penstock.closing.group import Group, reading
from penstock.closing.seals import Listed, canonical_json, files_in, list_beside, sha256, write_list
from penstock.ledger.products import Recorded
from penstock.runner.digests import digest_parts, parts_of
from penstock.runner.kinds import Odd
from penstock.runner.task import Task


def seal(task: Task) -> dict[str, Any]:
    """Write the seal of the group, and the list of its files."""
    with reading(task) as group:
        rows = group.products()
        folders = [row.path for row in rows if (group.root / row.path).is_dir()]
        lines = write_list(listed(task, group, rows, {*folders}))
        document = document_of(group, rows, folders, lines, list_beside(task.product("seal")).name)
    task.product("files").write_bytes(lines)
    task.product("seal").write_bytes(canonical_json(document))
    return {
        "seal": document["seal"],
        "files": document["files"]["count"],
        "bytes": document["files"]["bytes"],
    }


def document_of(
    group: Group, rows: Iterable[Recorded], folders: list[str], lines: bytes, name: str
) -> dict[str, Any]:
    """Return the document; nothing in it has a time, or differs when it is made again from the same record."""
    rows = list(rows)
    own = [row for row in rows if row.unit == group.unit]
    return {
        "format": 1,
        "level": group.level,
        "group": group.label,
        "seal": group.seal,
        "previous": group.previous,
        "definition": group.definition,
        "epoch": group.epoch,
        "stages": group.stages(),
        "left_out": group.left_out(),
        "products": [{"path": row.path, "bytes": row.bytes, "sha256": row.digest} for row in own],
        "folders": folders,
        "files": {
            "list": name,
            "sha256": sha256(lines),
            "count": lines.count(b"\n"),
            "bytes": sum(row.bytes for row in rows),
        },
    }


def listed(task: Task, group: Group, rows: Iterable[Recorded], folders: set[str]) -> Iterator[Listed]:
    """Yield the files of all products: a file by its recorded digest, a folder by what is in it, if that is as recorded."""
    for row in rows:
        if row.path not in folders:
            yield Listed(row.digest, row.path)
            continue
        try:
            same = digest_parts(parts_of(str(group.root / row.path)))[1] == row.digest
        except Odd as odd:
            task.fail(f"the product {row.path} {odd}: make it again, then retry the seal")
        if not same:
            task.fail(f"the product {row.path} changed while its group was closed: make it again")
        yield from files_in(group.root, row.path)
