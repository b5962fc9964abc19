"""The rules of a stage, checked."""

from __future__ import annotations

from collections import Counter

from penstock.campaign import Rule
from penstock.config.models import Definition, RuleTable
from penstock.config.places import Places
from penstock.config.sources import placed
from penstock.units import Expression


def rules(name: str, definition: Definition, places: Places) -> tuple[Rule, ...]:
    """Return the rules of a stage. Raises DefinitionError."""
    tables, keys = definition.stage[name].rules, ("stage", name, "rules")
    with placed(places, keys):
        found = tuple(_rule(table, number) for number, table in enumerate(tables, 1))
    for rule, times in Counter(rule.name for rule in found).items():
        if times > 1:
            message = f"{name!r} has {times} rules named {rule!r}; the record could not tell them apart"
            raise places.error(keys, message)
    if any(rule.verdict == "mark" for rule in found) and (lacking := _lacking(name, definition)):
        reader, product = lacking
        message = (
            f"a rule marks tasks of {name!r} as done, and {reader!r} would miss their product {product!r}; make it"
            ' optional, or choose verdict = "veto"'
        )
        raise places.error(keys, message)
    return found


def _rule(table: RuleTable, number: int) -> Rule:
    where = None if table.where is None else Expression.parse(table.where)
    return Rule(table.verdict, table.exit, table.log, table.why, where, table.name or str(number))


def _lacking(name: str, definition: Definition) -> tuple[str, str] | None:
    """Return a stage that reads a product which a task of `name` that is not run does not have, and this product."""
    table = definition.stage[name]
    needed = (
        product
        for product, written in table.products.items()
        if not written.optional and product not in table.optional
    )
    readers = (
        reader
        for reader, other in definition.stage.items()
        if other.follows == name or any(after.stage == name for after in other.after)
    )
    return next(((reader, product) for product in needed for reader in readers), None)
