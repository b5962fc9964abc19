"""From the `[stage.NAME]` tables to stages, in order, each checked against what it uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.campaign import After, Allowance, Product, Program, Resources, Stage
from penstock.complete import parse_deadline
from penstock.config.amounts import gpus
from penstock.config.graph import in_order
from penstock.config.models import Definition, RetryTable, StageTable
from penstock.config.ordering import check_follower, ordering
from penstock.config.placeholders import check_placeholders
from penstock.config.places import Keys, Places, nearest
from penstock.config.policies import policies
from penstock.config.programs import programs_named
from penstock.config.rules import rules
from penstock.config.saved import is_saved
from penstock.config.sources import Fields, placed
from penstock.errors import DefinitionError
from penstock.units import FAN, Expression, Pattern, Template


def assemble_stages(
    definition: Definition, fields: Fields, places: Places, programs: Mapping[str, Program]
) -> tuple[Stage, ...]:
    """Build all stages of a definition."""
    build = _Stages(definition, fields, places, programs)
    for name in definition.stage:
        build.check_links(name)
    for name, table in definition.stage.items():
        build.check_work(name, table)
    order = in_order(build.upstreams(), places)
    stages = {name: build.stage(name) for name in order}
    for stage in stages.values():
        check_placeholders(stage, stages, fields, places)
    _refuse_same_products(stages, places)
    return tuple(stages.values())


class _Stages:
    def __init__(
        self, definition: Definition, fields: Fields, places: Places, programs: Mapping[str, Program]
    ) -> None:
        self.definition, self.tables, self.shared = definition, definition.stage, definition.params
        self.sites, self.programs = definition.site, programs
        self.fields, self.places = fields, places
        self.with_source = {*fields.given}
        self.levels = {name: self.level_of(name, table.each) for name, table in self.tables.items()}
        for name, table in self.tables.items():
            if table.expands:
                self.add_expanded(name, table.expands)

    def error(self, name: str, key: str, message: str) -> DefinitionError:
        return self.places.error(("stage", name, key), message)

    def level_of(self, name: str, each: str) -> int:
        if each == "campaign":
            return 0
        if each not in self.fields.levels:
            known = ["campaign", *self.fields.levels]
            raise self.error(name, "each", f"there is no level {each!r}; {nearest(each, known)}")
        return self.fields.levels.index(each) + 1

    def add_expanded(self, name: str, expands: str) -> None:
        level, levels = self.levels[name], self.fields.levels
        if expands not in levels:
            raise self.error(
                name, "expands", f"there is no level {expands!r}; {nearest(expands, list(levels))}"
            )
        if levels.index(expands) != level:
            right = f"{levels[level]!r}" if level < len(levels) else "none, as it is at the finest"
            raise self.error(
                name,
                "expands",
                f"{name!r} can expand only the level right below its own ({right}), not {expands!r}",
            )
        if level + 1 in self.with_source:
            message = (
                f"the level {expands!r} has a source already; a stage can expand only a level without one"
            )
            raise self.error(name, "expands", message)
        self.fields.given.add(level + 1)
        self.fields.open.add(level + 1)

    def check_links(self, name: str) -> None:
        table = self.tables[name]
        others = [other for other in self.tables if other != name]
        for upstream in (*table.after, *([] if table.follows is None else [table.follows])):
            key = "with" if isinstance(upstream, str) else "after"
            other = upstream if isinstance(upstream, str) else upstream.stage
            if other == name:
                raise self.error(name, key, f"{name!r} waits for itself; name another stage")
            if other not in self.tables:
                raise self.error(name, key, f"there is no stage {other!r}; {nearest(other, others)}")
        if table.follows:
            self.check_follower(name, table)
        if self.levels[name] > max(self.fields.given, default=0):
            message = f"no source and no stage gives units at the level {table.each!r}; add [units.{table.each}] or `expands`"
            raise self.error(name, "each", message)

    def check_follower(self, name: str, table: StageTable) -> None:
        if any(after.stage != table.follows or after.key or after.optional for after in table.after):
            raise self.error(
                name,
                "after",
                f"{name!r} runs right after {table.follows!r} and cannot wait for others; remove `with` or `after`",
            )
        if self.levels[name] != self.levels[str(table.follows)]:
            raise self.error(
                name,
                "with",
                f"{name!r} is not at the level of {table.follows!r}; use `after` in place of `with`",
            )
        check_follower(name, table, self.places)
        if table.where and table.where != self.tables[str(table.follows)].where:
            raise self.error(
                name,
                "where",
                f"{name!r} runs with each {table.follows!r} and takes its `where`; remove this one",
            )

    def upstreams(self) -> dict[str, list[str]]:
        """Join the stages' own upstreams with those that expanding implies (RULE 1)."""
        expanders = [(name, self.levels[name]) for name, table in self.tables.items() if table.expands]
        found: dict[str, list[str]] = {}
        for name, table in self.tables.items():
            said = [after.stage for after in table.after] + ([table.follows] if table.follows else [])
            implied = [other for other, level in expanders if self.levels[name] > level and other != name]
            found[name] = list(dict.fromkeys([*said, *implied]))
        return found

    def stage(self, name: str) -> Stage:
        table, level = self.tables[name], self.levels[name]
        command = self.command(name, table)
        return Stage(
            name=name,
            level=level,
            command=command,
            shell=table.shell,
            python=table.python,
            setup=table.setup,
            fields=tuple(table.fields),
            products=self.products(name, table, level),
            params=self.params(table, command),
            after=self.after(name, table, level),
            follows=table.follows,
            where=self.where(name, table, level),
            expands=level + 1 if table.expands else None,
            members=table.members,
            empty=table.empty,
            late=table.late,
            **policies(name, self.definition),
            deadline=self.deadline(name, table, level),
            batch=table.batch,
            batch_wait_s=table.batch_wait,
            workers=table.workers,
            **ordering(name, level, self.definition, self.places),
            resources=self.resources(name, table),
            retry={outcome: _allowance(written) for outcome, written in table.retry.items()},
            rules=rules(name, self.definition, self.places),
            ok_codes=tuple(table.ok_codes),
            success_log=table.success.log if table.success else None,
            **_scratch(table),
            templates=table.templates,
            environment=table.environment,
            version=table.version,
            site=self.site(name, table),
            programs=self.programs_of(name, command),
            needs=tuple(table.needs),
            requires_python=table.requires_python or "",
        )

    def programs_of(self, name: str, command: Sequence[Template]) -> tuple[Program, ...]:
        with placed(self.places, ("stage", name, "command")):
            return tuple(programs_named(name, command, self.programs))

    def resources(self, name: str, table: StageTable) -> Resources:
        asked = _resources(table)
        if asked.is_parallel and table.workers > 1:
            message = (
                f"{name!r} starts processes of its own (`nodes`, `tasks_per_node`): leave `workers` at 1"
            )
            raise self.error(name, "workers", message)
        return asked

    def check_work(self, name: str, table: StageTable) -> None:
        if bool(table.command) == bool(table.python):
            what = (
                "has both `command` and `python`; choose one"
                if table.python
                else "has nothing to do; add `command` or `python`"
            )
            raise self.error(name, "python" if table.python else "each", f"the stage {name!r} {what}")
        if table.python and table.shell:
            raise self.error(name, "shell", f"{name!r} is a Python stage; `shell` goes with `command`")
        if table.setup and not table.python:
            raise self.error(
                name, "setup", f"`setup` of {name!r} goes with `python`; a command prepares itself"
            )
        if table.requires_python and not table.python:
            message = f"`requires_python` of {name!r} goes with `python`; remove it"
            raise self.error(name, "requires_python", message)
        if table.fields and not table.python:
            message = f"`fields` of {name!r} goes with `python`; a command uses what it names"
            raise self.error(name, "fields", message)
        if table.expands and not table.python:
            raise self.error(
                name,
                "expands",
                f"`expands` of {name!r} goes with `python`; only a function can name the new units",
            )
        if table.templates and not table.scratch:
            raise self.error(
                name, "templates", f"`templates` of {name!r} need `scratch = true`, where they are written"
            )
        if table.copy_inputs and not table.scratch:
            message = (
                f'`copy_inputs` of {name!r} needs `scratch`, such as "$TMPDIR", where they are copied to'
            )
            raise self.error(name, "copy_inputs", message)

    def command(self, name: str, table: StageTable) -> tuple[Template, ...]:
        if not table.shell and len(table.command) == 1 and " " in table.command[0].strip():
            message = f"the command of {name!r} is one text; write a list (one item for each argument), or add shell = true"
            raise self.error(name, "command", message)
        with placed(self.places, ("stage", name, "command")):
            texts = ["\n".join(table.command)] if table.shell else table.command
            return tuple(Template.parse(text, self.fields.time_specs) for text in texts)

    def params(self, table: StageTable, command: tuple[Template, ...]) -> Mapping[str, Any]:
        """Lay the stage's own parameters over the shared ones that it uses."""
        if table.python or table.templates:
            return {**self.shared, **table.params}
        used = {part.removeprefix("param.").partition(".")[0] for text in command for part in text.names}
        return {**{name: value for name, value in self.shared.items() if name in used}, **table.params}

    def products(self, name: str, table: StageTable, level: int) -> tuple[Product, ...]:
        for optional in table.optional:
            if optional not in table.products:
                message = f"`optional` names {optional!r}; {nearest(optional, [*table.products])}"
                raise self.error(name, "optional", message)
        return tuple(
            self.product(name, product, table, level, optional=product in table.optional or written.optional)
            for product, written in table.products.items()
        )

    def constants(self, table: StageTable) -> dict[str, Any]:
        """Give the parameters that may stand in a path."""
        return {f"param.{name}": value for name, value in {**self.shared, **table.params}.items()}

    def product(self, name: str, product: str, table: StageTable, level: int, *, optional: bool) -> Product:
        written = table.products[product]
        text = written.path
        keys: Keys = ("stage", name, "products", product)
        if text.startswith(("/", "~")) or ".." in text.split("/"):
            message = f"the product {text!r} of {name!r} is outside the campaign; write a path below it"
            raise self.places.error(keys, message)
        if ".penstock" in text.split("/"):
            raise self.places.error(
                keys, f"the product {text!r} of {name!r} is in penstock's own folder; choose another"
            )
        with placed(self.places, keys):
            template = Template.parse(text.rstrip("/"), self.fields.time_specs).fill(self.constants(table))
            path = Pattern.parse(template.text)
        if level and not {*path.names} - {FAN}:
            level_name = self.fields.levels[level - 1]
            message = (
                f"every {level_name} of {name!r} would write the same product {text!r}; add {{{level_name}}}"
            )
            raise self.places.error(keys, message)
        is_folder = written.folder or text.endswith("/")
        return Product(product, path, optional, written.taken_from, is_folder, written.fetch)

    def after(self, name: str, table: StageTable, level: int) -> tuple[After, ...]:
        if table.follows:
            return (After(table.follows),)
        found: list[After] = []
        for after in table.after:
            if any(after.stage == other.stage for other in found):
                raise self.error(name, "after", f"{name!r} names {after.stage!r} twice; once is enough")
            with placed(self.places, ("stage", name, "after")):
                key = tuple(Template.parse(text, self.fields.time_specs) for text in after.key)
            self.check_upstream_key(name, after.stage, key)
            self.check_key_types(name, after.stage, key)
            self.check_products_read(name, after.stage, after.products)
            found.append(After(after.stage, key, after.optional, tuple(after.products)))
        return tuple(found)

    def check_products_read(self, name: str, upstream: str, products: Sequence[str]) -> None:
        known = [*self.tables[upstream].products]
        for product in products:
            if product not in known:
                message = f"`after` names the product {product!r} of {upstream!r}; {nearest(product, known)}"
                raise self.error(name, "after", message)

    def check_upstream_key(self, name: str, upstream: str, key: tuple[Template, ...]) -> None:
        wanted = self.fields.levels[: self.levels[upstream]]
        if key and len(key) != len(wanted):
            message = f"`key` for {upstream!r} has {len(key)} parts; it needs one for each of {', '.join(wanted) or 'no level'}"
            raise self.error(name, "after", message)

    def check_key_types(self, name: str, upstream: str, key: tuple[Template, ...]) -> None:
        """A field names an upstream only if it has the type of its level: text is never a number."""
        types = self.fields.types
        for template, level in zip(key, self.fields.levels, strict=False):
            is_alone = len(template.parts) == 1 and len(template.names) == 1
            given = types.get(template.names[0]) if is_alone else "str"
            wanted = types.get(level, "str")
            if given and given != wanted:
                message = (
                    f"`key` for {upstream!r} gives {template.text!r}, which is {given}, for the level {level!r}, "
                    f"which is {wanted}; say its type in [units] `types`"
                )
                raise self.error(name, "after", message)

    def where(self, name: str, table: StageTable, level: int) -> Expression | None:
        if table.follows:
            above = self.tables[table.follows]
            return self.where(table.follows, above, level)
        if table.where is None:
            return None
        with placed(self.places, ("stage", name, "where")):
            return Expression.parse(table.where)

    def deadline(self, name: str, table: StageTable, level: int) -> Mapping[str, str]:
        for group, text in table.deadline.items():
            known = list(self.fields.levels[:level])
            if group not in known:
                message = f"{name!r} has no groups {group!r}; {nearest(group, known)}"
                raise self.error(name, "deadline", message)
            if self.fields.types.get(group, "str") not in ("datetime", "str"):
                message = f"a deadline needs a date, and {group!r} is not one; name another level"
                raise self.error(name, "deadline", message)
            with placed(self.places, ("stage", name, "deadline", group)):
                parse_deadline(text)
        return table.deadline

    def site(self, name: str, table: StageTable) -> str | None:
        known = ["local", *self.sites]
        if table.site is not None and table.site not in known:
            raise self.error(name, "site", f"there is no site {table.site!r}; {nearest(table.site, known)}")
        return table.site


def _resources(table: StageTable) -> Resources:
    asked = table.resources
    if asked is None:
        return Resources()
    return Resources(
        asked.cpus, asked.memory, asked.walltime, *gpus(asked.gpus), asked.nodes, asked.tasks_per_node, asked.exclusive,
        asked.scratch_disk,
    )  # fmt: skip


def _scratch(table: StageTable) -> dict[str, Any]:
    at = table.scratch if isinstance(table.scratch, str) else None
    return {"scratch": bool(table.scratch), "scratch_at": at, "copy_inputs": table.copy_inputs}


def _allowance(written: RetryTable) -> Allowance:
    return Allowance(written.times, tuple(written.delays) or (0.0,), written.scale)


def _refuse_same_products(stages: Mapping[str, Stage], places: Places) -> None:
    seen: dict[Any, tuple[str, str]] = {}
    for stage in stages.values():
        for product in stage.products:
            shape = product.path.template.parts
            owner = f"{product.name!r} of {stage.name!r}"
            if shape in seen:
                first, other = seen[shape]
                message = (
                    f"the products {other} and {owner} are the same file {product.path.text!r}; rename one"
                )
                if is_saved(places.file):
                    message += f", or `campaign.remove({first!r})` if that stage has another name now"
                raise places.error(("stage", stage.name, "products", product.name), message)
            seen[shape] = stage.name, owner
