"""The structure of an RO-Crate, checked without a network: what the profiles of Workflow Run RO-Crate demand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

Item = Mapping[str, Any]

METADATA = "ro-crate-metadata.json"
WFRUN = "https://w3id.org/ro/wfrun/"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_RELATIVE = re.compile(r"(?:[A-Za-z0-9._~/@!$&'()*+,;=:-]|%[0-9A-Fa-f]{2})+")
_TIME = re.compile(r"\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?")
STATUSES = {
    f"http://schema.org/{name}ActionStatus" for name in ("Completed", "Failed", "Active", "Potential")
}


def check_crate(folder: Path) -> list[str]:
    """Return what is wrong with the crate in a folder; nothing if it is sound.

    ```python
    assert check_crate(tmp_path / "crate") == []
    ```
    """
    data = json.loads((folder / METADATA).read_text("utf-8"), parse_constant=_refuse)
    items: list[Item] = data["@graph"]
    known = {item["@id"]: item for item in items}
    wrong = [f"{id} is there twice" for id in known if sum(item["@id"] == id for item in items) > 1]
    return [
        *wrong,
        *check_root(known),
        *check_references(known),
        *(fault for item in items for fault in check_item(item, folder)),
        *check_examples(known),
        *check_runs(known),
    ]


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no JSON")


def types_of(item: Item) -> list[str]:
    """Return the types of an item."""
    given: Any = item.get("@type", [])
    return [given] if isinstance(given, str) else list(given)


def refs_of(value: Any) -> list[str]:
    """Return the ids that a value refers to."""
    given = cast("list[Any]", value if isinstance(value, list) else [value])
    return [one["@id"] for one in given if isinstance(one, dict) and "@id" in one]


def of_type(known: Mapping[str, Item], kind: str) -> list[Item]:
    """Return the items of a type."""
    return [item for item in known.values() if kind in types_of(item)]


def check_root(known: Mapping[str, Item]) -> Iterator[str]:
    """Yield what is wrong with the descriptor, the root and the workflow."""
    about = known.get(METADATA, {})
    if refs_of(about.get("about")) != ["./"] or "./" not in known:
        yield f"{METADATA} does not describe ./"
        return
    if not any(id.startswith("https://w3id.org/ro/crate/1.") for id in refs_of(about.get("conformsTo"))):
        yield f"{METADATA} conforms to no version of RO-Crate"
    root = known["./"]
    for name in ("name", "description", "datePublished", "license"):
        if not root.get(name):
            yield f"the root has no {name}"
    if not _TIME.fullmatch(str(root.get("datePublished", ""))):
        yield "datePublished is no time"
    main = known.get(next(iter(refs_of(root.get("mainEntity"))), ""), {})
    if not {"File", "SoftwareSourceCode", "ComputationalWorkflow"} <= set(types_of(main)):
        yield "mainEntity is no workflow"
    elif "ComputerLanguage" not in types_of(
        known.get(next(iter(refs_of(main.get("programmingLanguage"))), ""), {})
    ):
        yield "the workflow has no programmingLanguage"


def check_references(known: Mapping[str, Item]) -> Iterator[str]:
    """Yield references that lead nowhere, and parts of the crate that the root does not reach."""
    for id, item in known.items():
        for name, value in item.items():
            for to in refs_of(value):
                if to not in known and not to.startswith(("http://", "https://")):
                    yield f"{name} of {id} leads to {to}, which is not there"
    parts = refs_of(known.get("./", {}).get("hasPart"))
    for id, item in known.items():
        is_data = {"File", "Dataset"} & set(types_of(item))
        if is_data and id not in ("./", METADATA) and id not in parts:
            yield f"{id} is no part of the root"


def check_item(item: Item, folder: Path) -> Iterator[str]:
    """Yield what is wrong with one item: its id, its file, its times and its status."""
    id = item["@id"]
    if not types_of(item):
        yield f"{id} has no type"
    if {"File", "Dataset"} & set(types_of(item)) and not _ABSOLUTE.match(id):
        if not _RELATIVE.fullmatch(id) or id.startswith("/") or ".." in Path(unquote(id)).parts:
            yield f"{id} is no path within the crate"
        elif not (folder / unquote(id)).exists():
            yield f"{id} is not there"
    for name in ("startTime", "endTime"):
        if name in item and not _TIME.fullmatch(item[name]):
            yield f"{name} of {id} is no time"
    if "actionStatus" in item and item["actionStatus"] not in STATUSES:
        yield f"actionStatus of {id} is none"


def check_examples(known: Mapping[str, Item]) -> Iterator[str]:
    """Yield parameters and files that do not point at each other."""
    for parameter in of_type(known, "FormalParameter"):
        if not parameter.get("additionalType"):
            yield f"{parameter['@id']} has no additionalType"
        for example in refs_of(parameter.get("workExample")):
            if parameter["@id"] not in refs_of(known.get(example, {}).get("exampleOfWork")):
                yield f"{example} does not point back to {parameter['@id']}"


def check_runs(known: Mapping[str, Item]) -> Iterator[str]:
    """Yield what the profiles miss in the actions."""
    root, profiles = known.get("./", {}), refs_of(known.get("./", {}).get("conformsTo"))
    main = refs_of(root.get("mainEntity"))
    runs = [item for item in of_type(known, "CreateAction") if refs_of(item.get("instrument")) == main]
    if any(id.startswith(f"{WFRUN}workflow") for id in profiles) and not runs:
        yield "no action has the workflow as its instrument"
    for item in of_type(known, "CreateAction"):
        if not refs_of(item.get("instrument")):
            yield f"{item['@id']} has no instrument"
        if item["@id"] not in refs_of(root.get("mentions")):
            yield f"{item['@id']} is not mentioned by the root"
    if any(id.startswith(f"{WFRUN}provenance") for id in profiles):
        yield from check_steps(known, {run["@id"] for run in runs})


def check_steps(known: Mapping[str, Item], runs: set[str]) -> Iterator[str]:
    """Yield what the profile of Provenance Run Crate misses."""
    workflow = known.get(next(iter(refs_of(known["./"].get("mainEntity"))), ""), {})
    if "HowTo" not in types_of(workflow) or not refs_of(workflow.get("step")):
        yield "the workflow has no steps"
    for step in refs_of(workflow.get("step")):
        if "HowToStep" not in types_of(known.get(step, {})) or not refs_of(known[step].get("workExample")):
            yield f"{step} is no step with a tool"
    controlled: set[str] = set()
    for control in of_type(known, "ControlAction"):
        controlled |= set(refs_of(control.get("object")))
        if not set(refs_of(control.get("instrument"))) <= set(refs_of(workflow.get("step"))):
            yield f"{control['@id']} controls no step"
    for item in of_type(known, "CreateAction"):
        if item["@id"] not in runs and item["@id"] not in controlled:
            yield f"{item['@id']} is controlled by nothing"
    if not any(set(refs_of(o.get("result"))) & runs for o in of_type(known, "OrganizeAction")):
        yield "nothing organized the run"
