"""The frozen copy of a campaign: plain data for the ledger, readable without its definition."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from penstock.campaign import (
    After,
    Allowance,
    Campaign,
    Closing,
    FileSource,
    FunctionSource,
    Partition,
    Product,
    Program,
    Resources,
    Rule,
    Site,
    Source,
    Stage,
    TableSource,
)
from penstock.channels import Channel, Command, Mail, Secret, Webhook
from penstock.outputs import Destination, Provenance, Publication, Shown
from penstock.units import Expression, Pattern, Template

T = TypeVar("T")


def to_json(campaign: Campaign) -> dict[str, Any]:
    """Return `campaign` as JSON-able data, with the `digest` of all of it, and what it was read from.

    Stages have the names of `penstock.campaign.Stage`; templates, patterns and expressions are their text.
    """
    copy: dict[str, Any] = {
        "format": 1,
        "name": campaign.name,
        "root": str(campaign.root),
        "file": str(campaign.file) if campaign.file else None,
        "levels": list(campaign.levels),
        "formats": dict(campaign.formats),
        "types": dict(campaign.types),
        "complete": dict(campaign.complete),
        "derive": _plain(campaign.derive),
        "overrides": list(campaign.overrides),
        "sources": [_source(source) for source in campaign.sources],
        "stages": [_stage(stage, campaign.levels) for stage in campaign.stages],
        "sites": {name: _plain(site) for name, site in campaign.sites.items()},
    }
    copy["digest"] = hashlib.sha256(json.dumps(copy, sort_keys=True).encode()).hexdigest()
    return {
        **copy,
        "site": campaign.site,
        "notify": {name: _channel(channel) for name, channel in campaign.notify.items()},
        "publish": _plain(campaign.publish),
        "move": _plain(campaign.move),
        "provenance": _plain(campaign.provenance),
        "heartbeat": campaign.heartbeat,
        "looked": list(campaign.looked),
        "origin": campaign.origin,
    }


def _source(source: Source) -> dict[str, Any]:
    kind = next(name for name, kind in _KINDS.items() if isinstance(source, kind))
    return {"kind": kind, **_plain(source)}


def _stage(stage: Stage, levels: tuple[str, ...]) -> dict[str, Any]:
    each = levels[stage.level - 1] if stage.level else "campaign"
    return {**_plain(stage), "each": each}


def _channel(channel: Channel) -> dict[str, Any]:
    kind = next(name for name, kind in _WAYS.items() if isinstance(channel.way, kind))
    return {**_plain(channel), "kind": kind}


def _plain(value: Any) -> Any:
    if isinstance(value, (Template, Pattern, Expression)):
        return value.text
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in cast("Sequence[Any]", value)]
    return value


def from_json(copy: Mapping[str, Any]) -> Campaign:
    """Return the campaign that `to_json` made `copy` of; nothing of its Python is imported."""
    return Campaign(
        name=copy["name"],
        root=Path(copy["root"]),
        levels=tuple(copy["levels"]),
        sources=tuple(_source_of(source) for source in copy["sources"]),
        stages=tuple(_stage_of(stage) for stage in copy["stages"]),
        sites={name: _made(Site, site) for name, site in copy["sites"].items()},
        derive=_expressions(copy["derive"]),
        formats=copy["formats"],
        types=copy["types"],
        complete=copy["complete"],
        site=copy["site"],
        notify={name: _channel_of(channel) for name, channel in copy.get("notify", {}).items()},
        publish={name: _made(Publication, table) for name, table in copy.get("publish", {}).items()},
        move={name: _made(Destination, table) for name, table in copy.get("move", {}).items()},
        provenance=_made(Provenance, copy.get("provenance") or {}),
        heartbeat=copy.get("heartbeat"),
        overrides=tuple(copy["overrides"]),
        file=copy["file"] and Path(copy["file"]),
        looked=tuple(copy.get("looked", ())),
        origin=copy["origin"],
    )


def _source_of(copy: Mapping[str, Any]) -> Source:
    kind, values = _KINDS[copy["kind"]], {name: value for name, value in copy.items() if name != "kind"}
    return _made(kind, values)


def _stage_of(copy: Mapping[str, Any]) -> Stage:
    return _made(Stage, {name: value for name, value in copy.items() if name != "each"})


def _channel_of(copy: Mapping[str, Any]) -> Channel:
    way = _made(_WAYS[copy["kind"]], copy["way"])
    return _made(Channel, {**{name: value for name, value in copy.items() if name != "kind"}, "way": way})


def _secret(copy: Any) -> Any:
    return copy if isinstance(copy, str) else _made(Secret, copy)


def _made(kind: type[T], copy: Mapping[str, Any]) -> T:
    readers = _READERS.get(kind, {})
    return kind(
        **{
            name: readers[name](value) if name in readers and value is not None else value
            for name, value in copy.items()
        }
    )


def _order(text: str) -> Any:
    return text if text in ("oldest", "newest") else Expression.parse(text)


def _all_made(kind: type[T]) -> Callable[[list[Any]], tuple[T, ...]]:
    return lambda copies: tuple(_made(kind, copy) for copy in copies)


def _templates(texts: list[str]) -> tuple[Template, ...]:
    return tuple(map(Template.parse, texts))


def _expressions(texts: Mapping[str, str]) -> dict[str, Expression]:
    return {name: Expression.parse(text) for name, text in texts.items()}


_KINDS: Mapping[str, type[Source]] = {"files": FileSource, "table": TableSource, "python": FunctionSource}

_WAYS: Mapping[str, type[Mail | Webhook | Command]] = {"mail": Mail, "webhook": Webhook, "command": Command}

#: how the values of a frozen object are made from those of its copy, where they are not the same
_READERS: Mapping[type, Mapping[str, Callable[[Any], Any]]] = {
    FileSource: {
        "pattern": Pattern.parse,
        "many": tuple,
        "companions": _templates,
        "partial": Pattern.parse,
        "exclude": tuple,
        "derive": _expressions,
    },
    TableSource: {"path": Path, "derive": _expressions},
    Provenance: {
        "authors": tuple,
        "environment": tuple,
        "configuration": tuple,
        "versions": lambda given: {name: tuple(argv) for name, argv in given.items()},
    },
    FunctionSource: {"derive": _expressions},
    Stage: {
        "command": _templates,
        "products": _all_made(Product),
        "after": _all_made(After),
        "where": Expression.parse,
        "order": _order,
        "resources": lambda copy: _made(Resources, copy),
        "retry": lambda copies: {name: _made(Allowance, copy) for name, copy in copies.items()},
        "rules": _all_made(Rule),
        "ok_codes": tuple,
        "fields": tuple,
        "uses": tuple,
        "places": tuple,
        "programs": _all_made(Program),
        "needs": tuple,
        "closing": lambda copy: _made(Closing, copy),
    },
    Rule: {"where": Expression.parse},
    Closing: {"members": tuple},
    Publication: {"files": _all_made(Shown)},
    Destination: {"files": _all_made(Shown)},
    Shown: {"to": Template.parse},
    Program: {"sources": tuple},
    Product: {"path": Pattern.parse},
    After: {"key": _templates, "products": tuple},
    Allowance: {"delays_s": tuple},
    Channel: {"on": tuple},
    Mail: {"to": tuple, "password": _secret},
    Webhook: {"url": _secret},
    Command: {"command": tuple},
    Secret: {"command": tuple},
    Site: {
        "workdir": Path,
        "requirements": tuple,
        "setup": tuple,
        "commands": Path,
        "lines": tuple,
        "licences": tuple,
        "partitions": _all_made(Partition),
    },
}
