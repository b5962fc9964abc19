"""Definitions for the state machine: each shows one kind of dependence between levels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from penstock.campaign import After, Campaign, FunctionSource, Product, Site, Stage
from penstock.units import Expression, Pattern, Template


@dataclass(frozen=True)
class Shape:
    """Levels, the levels that have a source, and the stages."""

    levels: tuple[str, ...]
    sources: tuple[int, ...]
    stages: tuple[Stage, ...]


def stage(
    name: str, level: int, *after: str | After, levels: Sequence[str] = ("a", "b", "c"), **more: Any
) -> Stage:
    """A Python stage with one product, `NAME/KEY`."""
    fields = "/".join(f"{{{one}}}" for one in levels[:level]) or "all"
    upstreams = tuple(After(one) if isinstance(one, str) else one for one in after)
    product = Product("product", Pattern.parse(f"{name}/{fields}"))
    return Stage(
        name, level, python="module:function", after=upstreams, products=(product,), digest=name, **more
    )


DATA = Expression.parse("kind == 'd'")
DATA_ABOVE = Expression.parse("kind1 == 'd'")  # a field of the coarsest level
SHAPES: Mapping[str, Shape] = {
    # sub → run → campaign
    "merges": Shape(
        ("a", "b"), (2,), (stage("make", 2), stage("merge", 1, "make"), stage("total", 0, "merge"))
    ),
    # a stage makes the units that the merges merge
    "expand": Shape(
        ("a", "b"), (1,),
        (
            stage("find", 1, expands=2), stage("make", 2), stage("merge", 1, "make"), stage("total", 0, "make"),
            stage("sum", 0, "merge"),
        ),
    ),
    # two stages, one above the other, make units
    "expand twice": Shape(
        ("a", "b", "c"), (1,),
        (
            stage("find", 1, expands=2), stage("split", 2, expands=3), stage("make", 3), stage("low", 2, "make"),
            stage("high", 1, "make"), stage("total", 0, "high", "low"),
        ),
    ),
    # a calibration of the group, its own and another one's that a field names
    "calibrations": Shape(
        ("a", "b", "c"), (1, 3),
        (
            stage("calibrate", 1), stage("make", 3, "calibrate"), stage("merge", 2, "make"),
            stage("night", 1, "merge", After("calibrate", key=(Template.parse("{other}"),))),
        ),
    ),
    # some keys have no task, because of their own fields or of those of their group
    "some": Shape(
        ("a", "b"), (1, 2),
        (
            stage("only", 2, where=DATA), stage("either", 2, After("only", optional=True)), stage("both", 2, "only"),
            stage("above", 2, where=DATA_ABOVE), stage("join", 1, "above"),
            stage("merge", 1, "either", "both"), stage("total", 0, "merge"),
        ),
    ),
    # followers run in the worker of the stage before
    "chain": Shape(
        ("a", "b"), (2,),
        (
            stage("first", 2), stage("then", 2, "first", follows="first"), stage("last", 2, "then", follows="then"),
            stage("merge", 1, "last", "first"),
        ),
    ),
}  # fmt: skip


def campaign_of(shape: Shape, root: Path, choices: Mapping[str, Any]) -> Campaign:
    """A campaign of that shape whose groups are as `choices` says: `members`, `empty`, `late`."""
    deepest = {s.name: max((shape_level(shape, a) for a in s.after), default=0) for s in shape.stages}
    stages = tuple(replace(s, **choices) if deepest[s.name] > s.level else s for s in shape.stages)
    sources = tuple(FunctionSource(level, "module:units") for level in shape.sources)
    return Campaign("model", root, shape.levels, sources, stages, {"local": Site("local")})


def shape_level(shape: Shape, after: After) -> int:
    return next(s.level for s in shape.stages if s.name == after.stage)
