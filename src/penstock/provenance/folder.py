"""Documents in a folder, and crates with the products that they describe."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from penstock.disk import write_file
from penstock.errors import DefinitionError, LedgerError
from penstock.ledger import Ledger
from penstock.ledger.configuration import kept_content
from penstock.ledger.stored import stored_campaign
from penstock.provenance.crate import METADATA, WORKFLOW, write_crate, write_definition
from penstock.provenance.drawing import write_svg
from penstock.provenance.model import Entity, Trace
from penstock.provenance.provjson import write_prov_json
from penstock.provenance.provn import write_prov_n
from penstock.provenance.tables import member_files
from penstock.runner.digests import digest_at
from penstock.runner.files import remove
from penstock.runner.trees import copy_tree

CRATE = "ro-crate"
CONFIGURATION = "configuration"  # folder of a crate

#: format → the name of its file, and what writes it
WRITERS: Mapping[str, tuple[str, Callable[[Trace], str]]] = {
    "prov-json": ("provenance.json", write_prov_json),
    "prov-n": ("provenance.provn", write_prov_n),
    "svg": ("provenance.svg", write_svg),
}
FORMATS = (*WRITERS, CRATE)


def write_text(trace: Trace, form: str) -> str:
    """Return a document that is one file."""
    return WRITERS[form][1](trace)


def write_folder(
    ledger: Ledger,
    trace: Trace,
    folder: Path,
    *,
    forms: Sequence[str],
    steps: bool = False,
    with_products: bool = True,
) -> list[str]:
    """Write documents, and the lists of members, into a folder; return the names of the files.

    A crate gets copies of the products that it describes, compared with their digests, unless the folder is the
    campaign's own. Raises DefinitionError if the folder holds something else, or a crate has no licence;
    LedgerError if a product is not as it was made.
    """
    texts = {WRITERS[form][0]: write_text(trace, form) for form in forms if form in WRITERS}
    texts |= member_files(trace)
    if CRATE in forms:
        refuse_strange(folder, ledger.root)
        held = products_of(trace, ledger.root) if with_products else []
        kept = kept_files(ledger, trace) if with_products else {}
        names = {e.id: str(e.path) for e in held} | {id: name for id, (name, _) in kept.items()}
        about = stored_campaign(ledger).provenance
        texts[WORKFLOW] = write_definition(trace)
        texts[METADATA] = write_crate(trace, about, steps=steps, held=names)
        for entity in held:
            take_in(entity, ledger.root, folder)
        for name, content in kept.values():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_file(folder / name, content)
    for name, text in texts.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(folder / name, text.encode())
    return sorted(texts)


def refuse_strange(folder: Path, root: Path) -> None:
    """Raise DefinitionError rather than mix a crate with files that are not ours."""
    if folder.resolve() == root.resolve() or not folder.exists():
        return
    if not folder.is_dir() or (any(folder.iterdir()) and not (folder / METADATA).exists()):
        raise DefinitionError(f"{folder} is there and is no crate: name a new folder with --out")


def products_of(trace: Trace, root: Path) -> list[Entity]:
    """Return the products in a trace that are here, within the campaign's folder."""
    made = {link.subject for link in trace.of("wasGeneratedBy")}
    found = [entity for entity in trace.entities if entity.id in made and entity.path]
    inside = [entity for entity in found if not os.path.isabs(str(entity.path))]
    return [entity for entity in inside if (root / str(entity.path)).exists()]


def kept_files(ledger: Ledger, trace: Trace) -> dict[str, tuple[str, bytes]]:
    """Return the configuration that the record kept: entity → its name in a crate, and its content.

    The name tells versions apart.
    """
    found: dict[str, tuple[str, bytes]] = {}
    for entity in trace.entities:
        mark = str(entity.details.get("digest", ""))
        content = kept_content(ledger.db, mark) if mark and entity.path else None
        if content is not None:
            found[entity.id] = (f"{CONFIGURATION}/{mark[:12]}/{entity.path}", content)
    return found


def take_in(entity: Entity, root: Path, folder: Path) -> None:
    """Put a product into a crate, if it is not there, and compare it with its digest."""
    source, target = root / str(entity.path), folder / str(entity.path)
    if not target.exists() or digest_at(str(target))[1] != entity.sha256:
        target.parent.mkdir(parents=True, exist_ok=True)
        draft = target.with_name(f".{target.name}.draft")
        remove(str(draft))
        copy_tree(str(source), str(draft))
        if digest_at(str(draft))[1] != entity.sha256:
            remove(str(draft))
            raise LedgerError(
                f"{source} is not what was made: `penstock ledger check --products` tells all that differ, and marks them"
            )
        remove(str(target))
        os.rename(draft, target)
