"""Checks of what a stage names in its command, products, `after` and `where`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from penstock.campaign import Stage
from penstock.config.places import Keys, Places, nearest
from penstock.config.sources import Fields
from penstock.units import FAN, Expression, Placeholder, Template
from penstock.units.formats import format_of
from penstock.units.values import NOUNS

#: type of a format → types of fields that it can write
FORMATTED = {
    "int": ("int",),
    "float": ("float", "int"),
    "str": ("str", "datetime"),
    "datetime": ("datetime", "str"),
}

PLAIN = ("cpus", "python", "scratch", "outdir")


def check_placeholders(stage: Stage, stages: Mapping[str, Stage], fields: Fields, places: Places) -> None:
    """Refuse what `stage` names and cannot have; one sentence for the first."""
    check = _Check(stage, stages, fields, places)
    for product in stage.products:
        check.in_path(product.path.template, product.name)
    for after in stage.after:
        for template in after.key:
            check.fields_of(template, ("after",))
    for name in stage.where.names if stage.where else ():
        check.field(name, ("where",))
    for rule in stage.rules:
        for name in rule.where.names if rule.where else ():
            check.field(name, ("rules",))
    for name in stage.order.names if isinstance(stage.order, Expression) else ():
        check.field(name, ("order",))
    for name in stage.fields:
        check.field(name, ("fields",))
    for template in stage.command:
        check.command(template)


class _Check:
    def __init__(self, stage: Stage, stages: Mapping[str, Stage], fields: Fields, places: Places) -> None:
        self.stage, self.stages, self.fields, self.places = stage, stages, fields, places
        self.known = fields.at(stage.level)

    def refuse(self, keys: Keys, message: str) -> None:
        raise self.places.error(("stage", self.stage.name, *keys), message)

    def field(self, name: str, keys: Keys) -> None:
        if name in self.known:
            return
        if finer := self.fields.finer_than(self.stage.level, name):
            message = f"{name!r} belongs to each {finer}; {self.stage.name!r} runs for each {self._level()} and has no single one"
            self.refuse(keys, message)
        if not self.fields.is_open(self.stage.level):
            message = f"{self.stage.name!r} names {name!r}, which is not a level or field; {nearest(name, sorted(self.known))}"
            self.refuse(keys, message)

    def _level(self) -> str:
        return self.fields.levels[self.stage.level - 1] if self.stage.level else "campaign"

    def format_of(self, template: Template, keys: Keys) -> None:
        """Refuse a format that the type of its field can never have."""
        for part in template.parts:
            if not isinstance(part, Placeholder) or not part.spec:
                continue
            kind = self.fields.types.get(part.name, "str" if part.name in self.fields.columns else None)
            wanted = format_of(part.spec).type
            if kind and kind not in FORMATTED[wanted]:
                message = (
                    f"{{{part.name}:{part.spec}}} is for {NOUNS[wanted]}, and {part.name!r} is {NOUNS[kind]}; say what it is:"
                    f' types = {{ {part.name} = "{wanted}" }}'
                )
                self.refuse(keys, message)

    def fields_of(self, template: Template, keys: Keys, *, known: Sequence[str] = ()) -> None:
        self.format_of(template, keys)
        for name in (one for one in template.names if one not in known):
            if "." in name:
                self.refuse(keys, f"{{{name}}} cannot stand in {template.text!r}; use levels and fields")
            self.field(name, keys)

    def in_path(self, template: Template, product: str) -> None:
        """Check a product's path, in which known parameters are filled in already."""
        keys = ("products", product)
        for name in template.names:
            if name.startswith("param."):
                self.param(name, keys)
            if name in self.fields.lists:
                self.refuse(
                    keys, f"{{{name}}} is a list and cannot stand in the path {template.text!r}; name a level"
                )
        for part in template.parts:
            if isinstance(part, Placeholder) and part.name == FAN and part.spec:
                self.refuse(
                    keys, f"{{fan:{part.spec}}} has a format, and it is always two digits; write {{fan}}"
                )
        self.fields_of(template, keys, known=(FAN,))

    def param(self, name: str, keys: Keys) -> None:
        known = {f"param.{key}": value for key, value in self.stage.params.items()}
        if name not in known:
            self.refuse(keys, f"{self.stage.name!r} names the parameter {name!r}; {nearest(name, [*known])}")
        if isinstance(known[name], (list, dict)):
            self.refuse(
                keys, f"{{{name}}} is a list or table, and a placeholder is one value; name single values"
            )

    def command(self, template: Template) -> None:
        self.format_of(template, ("command",))
        for name in template.names:
            head, _, rest = name.partition(".")
            if head == "param":
                self.param(name, ("command",))
            elif head == "product":
                self.product(name, rest)
            elif head == "program" and rest:
                continue  # one that is defined, or it would not have come here
            elif head in ("inputs", "inputs_file") and rest:
                self.upstream(head, rest)
            elif rest:
                self.refuse(
                    ("command",),
                    f"{{{name}}} is unknown; {nearest(head, ['param', 'product', 'program', 'inputs', 'inputs_file'])}",
                )
            elif name == FAN:
                self.refuse(
                    ("command",), "{fan} stands in paths of products only; a command has {product} for these"
                )
            elif name not in PLAIN:
                self.field(name, ("command",))
            if self.is_list(name):
                self.whole_element(template, name)
        if self.stage.shell:
            self.unquoted(template)

    def product(self, name: str, product: str) -> None:
        names = [one.name for one in self.stage.products]
        if not names:
            self.refuse(
                ("command",),
                f"{{{name}}} stands in the command of {self.stage.name!r}, which has no `products`; add them",
            )
        if (product or "product") not in names:
            known = [f"product.{one}" for one in names]
            self.refuse(
                ("command",), f"{{{name}}} is not a product of {self.stage.name!r}; {nearest(name, known)}"
            )

    def upstream(self, head: str, rest: str) -> None:
        """Check `inputs.STAGE`, `inputs.STAGE.PRODUCT` or `inputs_file.STAGE`."""
        name, _, product = rest.partition(".")
        known = [after.stage for after in self.stage.after]
        if name not in known:
            message = f"{{{head}.{rest}}} names a stage that {self.stage.name!r} is not after; {nearest(name, known)}"
            self.refuse(("command",), message)
        products = self.products_read(name)
        if not products:
            self.refuse(("command",), f"{{{head}.{rest}}} is empty, as {name!r} has no products; remove it")
        if product and (head == "inputs_file" or product not in products):
            right = (
                [f"{head}.{name}"] if head == "inputs_file" else [f"{head}.{name}.{one}" for one in products]
            )
            self.refuse(
                ("command",), f"{{{head}.{rest}}} is not an input; {nearest(f'{head}.{rest}', right)}"
            )

    def products_read(self, name: str) -> list[str]:
        """Name the products of an upstream that are inputs."""
        read = next(after.products for after in self.stage.after if after.stage == name)
        return [one.name for one in self.stages[name].products if not read or one.name in read]

    def is_list(self, name: str) -> bool:
        head, _, rest = name.partition(".")
        if head == "inputs":
            upstream, _, product = rest.partition(".")
            above = self.stages[upstream]
            return above.level > self.stage.level or (len(self.products_read(upstream)) > 1 and not product)
        return name in self.fields.lists

    def whole_element(self, template: Template, name: str) -> None:
        hint = f"{{inputs_file.{name.split('.')[1]}}}" if "." in name else "a Python stage"
        if self.stage.shell:
            self.refuse(
                ("command",), f"{{{name}}} is several files and cannot stand in shell text; use {hint}"
            )
        if len(template.parts) > 1:
            message = f"{{{name}}} is several files and must be a whole argument, not part of {template.text!r}; or use {hint}"
            self.refuse(("command",), message)

    def unquoted(self, template: Template) -> None:
        for placeholder, place in quoted_placeholders(template):
            message = f"{{{placeholder.name}}} stands inside {place} in shell text, where it cannot be quoted; take it out"
            self.refuse(("command",), message)


_MARK = "\0"
_HERE_DOCUMENT = re.compile(r"(?<!<)<<-?\s*[\\'\"]?(\w+)")


def quoted_placeholders(template: Template) -> Iterator[tuple[Placeholder, str]]:
    """Yield the placeholders of shell text that stand inside quotes or a here-document, and where that is."""
    placeholders = iter([part for part in template.parts if isinstance(part, Placeholder)])
    text = "".join(_MARK if isinstance(part, Placeholder) else part for part in template.parts)
    quote, end_word = "", None
    for line in text.splitlines(keepends=True):
        if end_word is not None:
            yield from ((next(placeholders), "a here-document") for _ in range(line.count(_MARK)))
            end_word = None if line.strip() == end_word else end_word
            continue
        for character, around in _quotes(line, quote):
            quote = around
            if character == _MARK:
                placeholder = next(placeholders)
                if around:
                    yield placeholder, f"{around} quotes"
        here = _HERE_DOCUMENT.search(line)
        end_word = here[1] if here and not quote else None


def _quotes(line: str, quote: str) -> Iterator[tuple[str, str]]:
    """Yield each character of a line with the quote that it stands in."""
    escaped, before = False, " "
    for index, character in enumerate(line):
        if character == "#" and not quote and before.isspace():
            yield from ((rest, "") for rest in line[index:])  # a comment
            return
        if escaped:
            escaped = False
        elif character == "\\" and quote != "'":
            escaped = True
        elif character == quote:
            quote = ""
        elif character in "'\"`" and not quote:
            quote = character
        before = character
        yield character, quote
