"""Checks of what a stage names in its command, products, `after` and `where`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from penstock.campaign import Stage
from penstock.config.places import Keys, Places, nearest
from penstock.config.sources import Fields
from penstock.units import Placeholder, Template

PLAIN = ("cpus", "scratch", "outdir")


def check_placeholders(stage: Stage, stages: Mapping[str, Stage], fields: Fields, places: Places) -> None:
    """Refuse what `stage` names and cannot have; one sentence for the first."""
    check = _Check(stage, stages, fields, places)
    for product in stage.products:
        check.in_path(product.path.template, product.name)
    for after in stage.after:
        for template in after.key:
            check.names(template, ("after",))
    for name in stage.where.names if stage.where else ():
        check.field(name, ("where",))
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
            message = f"{self.stage.name!r} names {name!r}, which is no level or field here; {nearest(name, sorted(self.known))}"
            self.refuse(keys, message)

    def _level(self) -> str:
        return self.fields.levels[self.stage.level - 1] if self.stage.level else "campaign"

    def names(self, template: Template, keys: Keys) -> None:
        for name in template.names:
            if name.startswith("param."):
                self.param(name, keys)
            elif "." in name:
                self.refuse(
                    keys, f"{{{name}}} cannot stand in {template.text!r}; use levels, fields and param.NAME"
                )
            else:
                self.field(name, keys)

    def in_path(self, template: Template, product: str) -> None:
        keys = ("products", product)
        self.names(template, keys)
        for name in template.names:
            if name in self.fields.lists:
                self.refuse(
                    keys, f"{{{name}}} is a list and cannot stand in the path {template.text!r}; name a level"
                )

    def param(self, name: str, keys: Keys) -> None:
        known = self.stage.params
        if name.split(".")[1] not in known:
            message = f"{self.stage.name!r} names the parameter {name!r}; {nearest(name, [f'param.{key}' for key in known])}"
            self.refuse(keys, message)

    def command(self, template: Template) -> None:
        for name in template.names:
            head, _, rest = name.partition(".")
            if head == "param":
                self.param(name, ("command",))
            elif head == "product":
                self.product(name, rest)
            elif head in ("inputs", "inputs_file") and rest:
                self.upstream(head, rest)
            elif rest:
                self.refuse(
                    ("command",),
                    f"{{{name}}} is unknown; {nearest(head, ['param', 'product', 'inputs', 'inputs_file'])}",
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
                ("command",), f"{{{name}}} is no product of {self.stage.name!r}; {nearest(name, known)}"
            )

    def upstream(self, head: str, name: str) -> None:
        known = [after.stage for after in self.stage.after]
        if name not in known:
            message = f"{{{head}.{name}}} names a stage that {self.stage.name!r} is not after; {nearest(name, known)}"
            self.refuse(("command",), message)
        if not self.stages[name].products:
            self.refuse(("command",), f"{{{head}.{name}}} is empty, as {name!r} has no products; remove it")

    def is_list(self, name: str) -> bool:
        head, _, upstream = name.partition(".")
        if head == "inputs":
            above = self.stages[upstream]
            return above.level > self.stage.level or len(above.products) > 1
        return name in self.fields.lists

    def whole_element(self, template: Template, name: str) -> None:
        hint = f"{{inputs_file.{name.partition('.')[2]}}}" if "." in name else "a Python stage"
        if self.stage.shell:
            self.refuse(
                ("command",), f"{{{name}}} is several files and cannot stand in shell text; use {hint}"
            )
        if len(template.parts) > 1:
            message = f"{{{name}}} is several files and must be a whole argument, not part of {template.text!r}; or use {hint}"
            self.refuse(("command",), message)

    def unquoted(self, template: Template) -> None:
        for placeholder, quote in quoted_placeholders(template):
            message = f"{{{placeholder.name}}} stands inside {quote} quotes in shell text; remove the quotes, penstock quotes it"
            self.refuse(("command",), message)


def quoted_placeholders(template: Template) -> Iterator[tuple[Placeholder, str]]:
    """Yield the placeholders of shell text that stand inside quotes, with the quote."""
    quote, escaped = "", False
    for part in template.parts:
        if isinstance(part, Placeholder):
            if quote:
                yield part, quote
            escaped = False
            continue
        for character in part:
            if escaped:
                escaped = False
            elif character == "\\" and quote != "'":
                escaped = True
            elif character == quote:
                quote = ""
            elif character in "'\"`" and not quote:
                quote = character
