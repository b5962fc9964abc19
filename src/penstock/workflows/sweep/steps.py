"""The steps of the dialogue: what a person is asked to change one thing of a sweep. All raise Left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import click

from penstock.errors import DefinitionError
from penstock.units import Expression, unknown_name
from penstock.workflows.sweep.axis import EVERY, list_values, read_extent
from penstock.workflows.sweep.draft import Draft, describe, typed
from penstock.workflows.sweep.program import Program
from penstock.workflows.sweep.prompt import ask, choose, split_words
from penstock.workflows.sweep.sweep import DRAWN
from penstock.workflows.sweep.value import Typed, number
from penstock.workflows.sweep.variable import NUMERIC, Variable

MODES = {
    "grid": "each value with each of the others",
    "zip": "first with first, second with second",
    "nested": "each within those before it, by which its range may be worked out",
    "table": "the rows of a CSV file",
    "random": "drawn at random",
    "latin": "drawn as a Latin hypercube",
    "sobol": "drawn as a Sobol sequence",
}
LIST, STEP, COUNT, LOG, ALL, DRAW, FIX, DEFAULT = "l", "s", "n", "g", "a", "d", "f", "x"
WAYS = {
    LIST: "a list of values",
    STEP: "from, to, by steps",
    COUNT: "from, to, how many",
    LOG: "from, to, how many, log-spaced",
    ALL: "all that it may be",
    DRAW: "drawn, from and to",
    FIX: "one value for all points",
    DEFAULT: "as the program has it",
}


def change_variable(draft: Draft, variable: Variable) -> None:
    """Ask whether a variable varies, and how."""
    click.echo(
        f"\n{variable.name}: {variable.help or variable.type}, {variable.describe_allowed() or 'anything'}"
    )
    way = choose("How", {way: WAYS[way] for way in ways_of(draft, variable)}, default=LIST)
    if way == DEFAULT:
        draft.forget(variable.name)
        return
    if way == FIX:
        value = ask("Value", lambda text: typed(variable, text))
        draft.forget(variable.name)
        draft.fixed[variable.name] = value
        return
    given = ASKED[way](draft, variable)
    if variable.name not in draft.vary:
        draft.forget(variable.name)
    draft.vary[variable.name] = given  # one that varied keeps its place
    click.echo(f"{variable.name} varies: {describe(given)}")


def ways_of(draft: Draft, variable: Variable) -> list[str]:
    """Return how a variable may vary."""
    numeric = variable.type in NUMERIC
    drawn = draft.mode in DRAWN
    ranges = [DRAW] if drawn else [STEP, COUNT, LOG]
    every = [ALL] if variable.choices or variable.type == "bool" else []
    return [LIST, *(ranges if numeric else []), *([] if drawn else every), FIX, DEFAULT]


def ask_list(draft: Draft, variable: Variable) -> object:
    """Ask for a list of values."""

    def read(text: str) -> list[object]:
        values = [typed(variable, word) for word in split_words(text)]
        list_values(variable, values)
        return values

    return ask("Values, with commas between them", read)


def ask_range(draft: Draft, variable: Variable) -> object:
    """Ask for a range with a step; in a nested sweep its ends may be worked out."""
    ends = ask_ends(draft, variable)
    return ask("By steps of", lambda text: checked(draft, variable, {**ends, "step": read_end(draft, text)}))


def ask_count(draft: Draft, variable: Variable) -> object:
    """Ask for a range with a count."""
    ends = ask_ends(draft, variable)
    return ask("How many", lambda text: checked(draft, variable, {**ends, "count": read_count(text)}))


def ask_log(draft: Draft, variable: Variable) -> object:
    """Ask for a logarithmic range."""
    ends = ask_ends(draft, variable)
    return ask(
        "How many",
        lambda text: checked(draft, variable, {**ends, "count": read_count(text), "scale": "log"}),
    )


def ask_ends(draft: Draft, variable: Variable) -> dict[str, object]:
    """Ask from where to where a range goes."""
    hint = " (a number, or an expression of variables before)" if draft.mode == "nested" else ""
    return {
        key: ask(f"{word}{hint}", lambda text: read_end(draft, text))
        for key, word in (("start", "From"), ("stop", "To"))
    }


def ask_extent(_draft: Draft, variable: Variable) -> object:
    """Ask from where to where to draw."""
    low = ask("From", lambda text: typed(variable, text))
    scale = choose(
        "Scale", {"linear": "all parts alike", "log": "all orders of magnitude alike"}, default="linear"
    )

    def read(text: str) -> dict[str, object]:
        given = {"low": low, "high": typed(variable, text)} | ({"scale": scale} if scale == "log" else {})
        read_extent(variable, given)
        return given

    return ask("To", read)


ASKED: dict[str, Callable[[Draft, Variable], object]] = {
    LIST: ask_list,
    STEP: ask_range,
    COUNT: ask_count,
    LOG: ask_log,
    ALL: lambda draft, variable: EVERY,
    DRAW: ask_extent,
}


def read_end(draft: Draft, text: str) -> object:
    """Read an end of a range. Raises ValueError."""
    try:
        number(text)
    except ValueError:
        if draft.mode != "nested" or not text:
            raise
        Expression.parse(text)
        return text
    return Typed(text)


def read_count(text: str) -> int:
    """Read how many. Raises ValueError."""
    if not text.isdecimal():
        raise ValueError(f"{text!r} is not a whole number")
    return int(text)


def checked(draft: Draft, variable: Variable, given: dict[str, Any]) -> dict[str, Any]:
    """Return a range that gives values which the variable may have. Raises ValueError."""
    if all(isinstance(given[end], Typed) for end in ("start", "stop")):
        list_values(variable, given)
    return given


def change_mode(draft: Draft, program: Program) -> None:
    """Ask how what varies is combined."""
    mode = choose("Mode", MODES, default=draft.mode)
    head = dict(draft.head)
    for key in ("table", "draws", "seed"):
        head.pop(key, None)
    head["mode"] = mode
    if mode == "table":
        head["table"] = ask("CSV file, with a column a variable", some_text)
    if mode in DRAWN:
        head["draws"] = ask("How many points", read_count)
        head["seed"] = ask("Seed, of which they follow", read_count, default="1")
    if mode != "grid":
        head.pop("together", None)
    draft.head = head


def some_text(text: str) -> str:
    """Return a text that is not empty. Raises ValueError."""
    if not text:
        raise ValueError("type something, or Ctrl-C to leave")
    return text


def change_together(draft: Draft, program: Program) -> None:
    """Ask for variables that vary together."""

    def read(text: str) -> list[str]:
        names = split_words(text) if text else []
        for name in names:
            if name not in draft.vary:
                raise ValueError(unknown_name(name, list(draft.vary), "what varies"))
        if len(names) == 1:
            raise ValueError("two or more vary together")
        return names

    names = ask("Names, with commas between them; nothing for none", read)
    if names:
        draft.head["together"] = [names]
    else:
        draft.head.pop("together", None)


def change_conditions(draft: Draft, program: Program) -> None:
    """Ask for conditions, one after the other: a new one is added, the number of one removes it."""
    while True:
        known = conditions_of(draft)
        for place, text in enumerate(known, 1):
            click.echo(f"  {place}  {text}")
        answer = ask(
            "A condition such as a < b, the number of one to remove, or nothing",
            lambda text: text if not text or text.isdecimal() else read_expression(text, program),
        )
        if not answer:
            return
        if answer.isdecimal():
            known = [text for place, text in enumerate(known, 1) if place != int(answer)]
        else:
            known.append(answer)
        draft.head["where"] = known
        if not known:
            del draft.head["where"]


def conditions_of(draft: Draft) -> list[str]:
    """Return the conditions that a sweep has."""
    given = draft.head.get("where", [])
    return [str(each) for each in (cast("list[object]", given) if isinstance(given, list) else [given])]


def read_expression(text: str, program: Program) -> str:
    """Return an expression over a program's variables. Raises ValueError or DefinitionError."""
    for name in Expression.parse(text).names:
        if name not in program.variables:
            raise ValueError(unknown_name(name, list(program.variables), "the expression"))
    return text


def change_derived(draft: Draft, program: Program) -> None:
    """Ask for variables that are worked out: `beta = 1 / T`, or a name alone to remove it."""

    def read(text: str) -> tuple[str, str]:
        name, _, right = (part.strip() for part in text.partition("="))
        if text and name not in program.variables:
            raise ValueError(unknown_name(name, list(program.variables), program.name))
        return name, read_expression(right, program) if right else ""

    name, expression = ask("NAME = EXPRESSION; a name alone removes it", read)
    if name:
        draft.forget(name)
    if expression:
        draft.derive[name] = expression


def change_repeats(draft: Draft, program: Program) -> None:
    """Ask how often each point runs."""
    if program.seed is None:
        raise DefinitionError(f"{program.name} names no seed to repeat with; add seed = … to {program.file}")
    seed = program.variables[program.seed]

    def read(text: str) -> Mapping[str, object]:
        if text.isdecimal() and int(text) > 0:
            return {"repeat": int(text)}
        if text:
            list_values(seed, text)
        return {"seeds": text} if text else {}

    found = ask("How many repeats, or seeds such as 11..15; nothing for none", read)
    for key in ("repeat", "seeds"):
        draft.head.pop(key, None)
    draft.head.update(found)
    if found:
        draft.forget(seed.name)


def describe_head(draft: Draft) -> Iterator[str]:
    """Yield what a sweep has besides its variables."""
    head = draft.head
    table = f" of {head['table']}" if "table" in head else ""
    draws = f", {head['draws']} draws with seed {head['seed']}" if "draws" in head else ""
    yield f"mode {draft.mode}{table}{draws}"
    for group in cast("list[list[str]]", head.get("together", [])):
        yield f"together: {', '.join(group)}"
    if known := conditions_of(draft):
        yield f"conditions: {'; '.join(known)}"
    if "repeat" in head or "seeds" in head:
        yield f"repeats: {head.get('repeat') or head.get('seeds')}"
