"""Two tasks must not write the same file: proven from the patterns where possible, else checked path by path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import combinations

from penstock.campaign import Campaign, Product, Stage
from penstock.conductor.context import Context
from penstock.errors import DefinitionError
from penstock.units import Placeholder, show_key

Part = str | Placeholder


def check_products(context: Context) -> None:
    """Raise DefinitionError if two tasks, of the units known now, have one product path.

    Once a stage has made something as it is defined now, such a task is a unit's own fault: it fails when it is submitted.
    """
    campaign = context.campaign
    doubtful = doubtful_stages(campaign)
    makers: dict[str, tuple[str, str]] = {}
    for stage in (s for s in campaign.stages if s.name in doubtful):
        for label, path in paths_of(context, stage):
            other = makers.setdefault(path, (stage.name, label))
            if other != (stage.name, label) and not any(
                has_worked(context, s) for s in (stage.name, other[0])
            ):
                raise DefinitionError(
                    f"two tasks would write the same product, {path}: {other[0]} of {other[1]} and {stage.name} of {label};"
                    " add fields to its pattern",
                    file=campaign.file,
                )


def has_worked(context: Context, stage: str) -> bool:
    """Whether a stage was begun as it is defined now."""
    graph = context.graph
    sql = "SELECT 1 FROM task WHERE stage = ? AND made = ? LIMIT 1"
    row = context.ledger.db.execute(sql, (graph.ids[stage], graph.stages[stage].digest)).fetchone()
    return row is not None


def paths_of(context: Context, stage: Stage) -> Iterator[tuple[str, str]]:
    """Yield (unit, product path) for all tasks of a stage."""
    campaign = context.campaign
    rows = context.ledger.db.execute(
        "SELECT u.* FROM task t JOIN unit u ON u.id = t.unit WHERE t.stage = ?",
        (context.graph.ids[stage.name],),
    )
    for row in rows:
        seen = context.values.of(row)
        key = [seen[level] for level in campaign.levels[: stage.level]]
        label = show_key(key, campaign.levels, campaign.formats)
        with suppress(DefinitionError):  # that task will fail, and say so
            for product in stage.products:
                yield label, product.path_for(key, seen)


def doubtful_stages(campaign: Campaign) -> set[str]:
    """Return the stages whose patterns alone do not prove that all their paths differ."""
    doubtful = {s.name for s in campaign.stages for p in s.products if not tells_units_apart(p, s, campaign)}
    pairs = combinations([(s.name, p) for s in campaign.stages for p in s.products], 2)
    return doubtful | {name for (a, p), (b, q) in pairs if not disjoint(p, q) for name in (a, b)}


def tells_units_apart(product: Product, stage: Stage, campaign: Campaign) -> bool:
    """Whether a pattern is sure to give two units two paths: it has all of the key, readable back in one way."""
    names = {part.name for part in product.path.template.parts if isinstance(part, Placeholder)}
    key = campaign.levels[: stage.level]
    return names.issuperset(key) and all(
        readable(segment, campaign) for segment in segments(product.path.template.parts)
    )


def readable(segment: Sequence[Part], campaign: Campaign) -> bool:
    """Whether the values in one part of a path can be told from it: one text at most, whole numbers beside it."""
    kinds = [kind_of(part, campaign) for part in segment if isinstance(part, Placeholder)]
    return (
        kinds.count("str") <= 1
        and all(kind in ("str", "int") for kind in kinds)
        and len(kinds) <= 1 + kinds.count("int")
    )


def kind_of(part: Placeholder, campaign: Campaign) -> str:
    """Return the type of a placeholder's value when its format keeps all of it, else `other`."""
    kind = campaign.types.get(part.name, "str")
    return kind if kind == "int" or (kind == "str" and not part.spec) else "other"


def segments(parts: Iterable[Part]) -> list[list[Part]]:
    """Cut a pattern at its slashes."""
    found: list[list[Part]] = [[]]
    for part in parts:
        if isinstance(part, Placeholder):
            found[-1].append(part)
            continue
        for number, text in enumerate(part.split("/")):
            if number:
                found.append([])
            if text:
                found[-1].append(text)
    return found


def disjoint(one: Product, other: Product) -> bool:
    """Whether no path can come of both patterns: their literal beginnings or ends differ."""
    heads, tails = list[str](), list[str]()
    for product in (one, other):
        parts = product.path.template.parts
        heads.append(parts[0] if isinstance(parts[0], str) else "")
        tails.append(parts[-1] if isinstance(parts[-1], str) else "")
    starts = heads[0].startswith(heads[1]) or heads[1].startswith(heads[0])
    ends = tails[0].endswith(tails[1]) or tails[1].endswith(tails[0])
    return not (starts and ends)
