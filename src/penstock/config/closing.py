"""From `[close.LEVEL]` to stages: each step of a closing is a stage at that level, with a function of ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from penstock.campaign import Closing
from penstock.config.closetables import CloseTable
from penstock.config.models import AfterTable, Definition, ProductTable, StageTable
from penstock.config.places import Keys, Places, nearest
from penstock.config.sources import Fields

PREFIX = "close."  # of the names of these stages: no name that people write has a dot


class Kind(NamedTuple):
    """What a step is: its function, what it names, its products (`{to}` is their path without an end), and their folder."""

    function: str | None
    names: str = ""  # "stage", "path", "publish", "move", or nothing
    products: Mapping[str, str] = {}
    folder: str = ""
    retry: Mapping[Any, Any] = {}  # as in `[stage.NAME]`
    then: str = ""  # the step that goes with it, right after


#: what may stand in `steps`
STEPS: Mapping[str, Kind] = {
    "verify": Kind("penstock.closing.verifying:verify"),
    "merge": Kind(None, "stage"),  # a stage of the definition, which runs at this place
    "move": Kind("penstock.moving.step:move", "move", {"moved": "{to}.json"}, "moved", then="clear"),
    "clear": Kind("penstock.moving.step:clear", "move"),  # comes with each move
    "provenance": Kind(
        "penstock.closing.tracing:provenance", "path", {"document": "{to}.json"}, "provenance"
    ),
    "publish": Kind(
        "penstock.publishing.step:publish",
        "publish",
        {"published": "{to}.json"},
        "published",
        {
            "error": {"times": 3, "delays": ["1min", "5min", "25min"]}
        },  # a host that cannot be reached for a while
    ),
    "seal": Kind(
        "penstock.closing.sealing:seal", "path", {"seal": "{to}.json", "files": "{to}.sha256"}, "seals"
    ),
}
FIRST, LAST = "verify", "seal"
TABLES = ("publish", "move")  # what steps name that is a table of its own
WRITTEN = [name for name in STEPS if name not in {kind.then for kind in STEPS.values()}]


def stage_of(level: str, step: str, about: str) -> str:
    """Return the name of the stage that a step is: of those that may stand twice it says which."""
    more = f"-{about}" if STEPS[step].names in TABLES else ""
    return f"{PREFIX}{level}.{step}{more}"


def is_step(stage: str) -> bool:
    """Whether a stage is a step of a closing, by its name."""
    return stage.startswith(PREFIX)


def closings_of(definition: Definition, fields: Fields, places: Places) -> dict[str, Closing]:
    """Return what the steps of all closings are, by the names of their stages, in the order in which they run."""
    found: dict[str, Closing] = {}
    for level in sorted(definition.close, key=lambda name: -check_level(name, fields, places)):
        table = definition.close[level]
        check_steps(level, definition, places)
        check_day(level, table, fields, places)
        merged = with_downstreams(merges_of(table), definition)
        at_least = check_level(level, fields, places)
        under = [name for name, stage in definition.stage.items() if level_of(stage.each, fields) >= at_least]
        members = (*(name for name in under if name not in merged), *found)
        for number, (step, about) in enumerate(pairs(table)):
            if STEPS[step].function:
                found[stage_of(level, step, about)] = Closing(
                    step, about, number == 0, table.not_before, table.time_zone, members
                )
    return found


def with_steps(definition: Definition, closings: Mapping[str, Closing], fields: Fields) -> Definition:
    """Return the definition with a stage for each step, after which the merges that it names run."""
    stages = dict(definition.stage)
    for level, table in definition.close.items():
        before, merges = list[str](), list[str]()
        for step, about in pairs(table):
            if not STEPS[step].function:
                stages[about] = later(stages[about], before)
                merges.append(about)
                continue
            name = stage_of(level, step, about)
            merged = with_downstreams(merges, definition)
            waits = [*closings[name].members, *before, *(one for one in definition.stage if one in merged)]
            stages[name] = StageTable(
                each=level,
                python=STEPS[step].function,
                after=[AfterTable(stage=one, optional=True) for one in waits],  # `where` may leave some out
                products=products_of(step, about, level, fields),
                params={"level": level, "members": list(closings[name].members), "about": about},
                members=table.members,
                deadline={level: table.deadline} if table.deadline and step == LAST else {},
                retry=dict(STEPS[step].retry),
                empty="run",
                site="local",
            )
            before = [name]
    return definition.model_copy(update={"stage": stages})


def later(stage: StageTable, before: Sequence[str]) -> StageTable:
    """Return a stage that waits for a step, too."""
    return stage.model_copy(update={"after": [*stage.after, *(AfterTable(stage=one) for one in before)]})


def pairs(table: CloseTable) -> Iterator[tuple[str, str]]:
    """Yield the steps, each with what it names."""
    for step, about in written(table):
        yield step, about
        if step in STEPS and STEPS[step].then:
            yield STEPS[step].then, about


def written(table: CloseTable) -> Iterator[tuple[str, str]]:
    """Yield the steps that people wrote."""
    for step in table.steps:
        yield from step.items()


def merges_of(table: CloseTable) -> list[str]:
    """Return the stages that are steps of a closing."""
    return [about for step, about in pairs(table) if not STEPS[step].function]


def with_downstreams(names: Sequence[str], definition: Definition) -> set[str]:
    """Return stages with all that waits for them."""
    found = set(names)
    while (
        more := {n for n, table in definition.stage.items() if found.intersection(upstreams(table))} - found
    ):
        found |= more
    return found


def upstreams(table: StageTable) -> list[str]:
    """Return the stages that a stage waits for."""
    return [*(after.stage for after in table.after), *([table.follows] if table.follows else [])]


def products_of(step: str, about: str, level: str, fields: Fields) -> dict[str, Any]:
    """Return the products of a step: at the path that it names, or in a folder called as the step is."""
    above = fields.levels[: level_of(level, fields)]
    written = [
        f"{{{name}:{spec}}}" if (spec := fields.formats.get(name)) else f"{{{name}}}" for name in above
    ]
    named = [about] if STEPS[step].names in TABLES else []
    own = "/".join([STEPS[step].folder, *named, level, *written])
    to = about if STEPS[step].names == "path" and about else own
    return {name: ProductTable(path=text.replace("{to}", to)) for name, text in STEPS[step].products.items()}


def level_of(each: str, fields: Fields) -> int:
    """Return the number of a level; -1 if there is none, which is told elsewhere."""
    if each == "campaign":
        return 0
    return fields.levels.index(each) + 1 if each in fields.levels else -1


def check_level(level: str, fields: Fields, places: Places) -> int:
    """Return the number of a level; raises DefinitionError if there is no such level."""
    number = level_of(level, fields)
    if number < 0:
        known = ["campaign", *fields.levels]
        raise places.error(("close", level), f"there is no level {level!r} to close; {nearest(level, known)}")
    return number


def check_steps(level: str, definition: Definition, places: Places) -> None:
    """Refuse steps that are none, that stand twice or in no possible order, or that name what is not there."""
    keys: Keys = ("close", level, "steps")
    steps = [*written(definition.close[level])]
    for step, about in steps:
        if step not in WRITTEN:
            raise places.error(keys, f"{step!r} is no step of a closing; {nearest(step, WRITTEN)}")
        if about and not STEPS[step].names:
            raise places.error(keys, f"the step {step!r} names nothing; write it as a word")
        if STEPS[step].names == "stage":
            check_merge(about, level, definition, places)
        tables = {"publish": definition.publish, "move": definition.move}.get(step, {})
        if STEPS[step].names in TABLES and about not in tables:
            message = f"the step {step} names a table, and there is no [{step}.{about}]"
            raise places.error(keys, f"{message}; {nearest(about, [*tables])}")
    words = [
        stage_of("", step, about).removeprefix(f"{PREFIX}.") for step, about in steps if STEPS[step].function
    ]
    if (steps[0][0], steps[-1][0]) != (FIRST, LAST):
        raise places.error(keys, f"the steps of a closing begin with {FIRST!r} and end with {LAST!r}")
    if twice := next((word for word in words if words.count(word) > 1), None):
        raise places.error(keys, f"the step {twice!r} stands twice; once is enough")


def check_merge(stage: str, level: str, definition: Definition, places: Places) -> None:
    """Refuse a merge that is no stage of the closing's level that may wait."""
    keys: Keys = ("close", level, "steps")
    if stage not in definition.stage:
        message = f"the step merge names a stage, and there is no stage {stage!r}"
        raise places.error(keys, f"{message}; {nearest(stage, [*definition.stage])}")
    table = definition.stage[stage]
    if table.each != level:
        raise places.error(
            keys, f"the merge {stage!r} is of the level {table.each!r}; name a stage of {level!r}"
        )
    if table.follows:
        message = (
            f"the merge {stage!r} runs right after {table.follows!r} (`with`); use `after` in place of that"
        )
        raise places.error(keys, message)


def check_day(level: str, table: CloseTable, fields: Fields, places: Places) -> None:
    """Refuse a time of day for groups that are no days."""
    if level != "campaign" and fields.types.get(level, "str") in ("datetime", "str"):
        return
    for key, given in (("not_before", table.not_before), ("deadline", table.deadline)):
        if given:
            message = f"`{key}` needs a date, and {level!r} is not one; remove it"
            raise places.error(("close", level, key), message)
