"""What a step may have put into the folder, written down before: so that it is known as ours, whatever was killed.

There is a file for each group, in the campaign's own folder. A file there that has bytes which are listed is ours; one that
has others is somebody else's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from penstock.closing.group import Group
from penstock.closing.seals import canonical_json
from penstock.disk import read_whole, write_file
from penstock.errors import PenstockError
from penstock.ledger import FOLDER
from penstock.publishing.manifest import parts_of_group
from penstock.runner.files import make_folders

Ours = dict[str, set[str]]  # path in the folder → digests


def journal_of(group: Group, name: str) -> Path:
    """Return the file of a group."""
    *above, last = parts_of_group(group.level, group.label)
    return group.root.joinpath(FOLDER, "moves", name, *above, f"{last}.json")


def read_journal(path: Path) -> Ours:
    """Return what may be ours; raises PenstockError if the file is damaged."""
    data = read_whole(path)
    try:
        return {name: {*digests} for name, digests in json.loads(data or b"{}").items()}
    except (ValueError, AttributeError, TypeError):
        raise PenstockError(f"{path} cannot be read any more: move it away, then retry") from None


def write_journal(path: Path, ours: Ours, wanted: Iterable[tuple[str, str]]) -> None:
    """Add what is about to be put there."""
    both = {name: {*digests} for name, digests in ours.items()}
    for name, digest in wanted:
        both.setdefault(name, set()).add(digest)
    make_folders(str(path.parent))
    write_file(path, canonical_json({name: sorted(digests) for name, digests in both.items()}))
