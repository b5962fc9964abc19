"""From the `[units]` tables to sources, and which fields they give to which level."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from penstock.campaign import FileSource, FunctionSource, Source, TableSource
from penstock.config.derived import type_of
from penstock.config.models import Definition, SourceTable
from penstock.config.places import Keys, Places, nearest
from penstock.csvfile import read_header
from penstock.errors import DefinitionError
from penstock.units import FAN, Expression, Pattern, Template

FILE_FIELDS = ("path", "name", "stem", "size")
GROUP_FIELDS = ("paths", "size")
KINDS = ("files", "table", "python")
FILES_ONLY = ("settle", "many", "companions", "partial", "exclude")


@dataclass(slots=True)
class Fields:
    """Which names there are at each level. In an `open` level a program gives names that nobody can know before."""

    levels: tuple[str, ...]
    elsewhere: set[str] = field(default_factory=set[str])  # expanded, or with a source of its own
    by_level: dict[int, set[str]] = field(default_factory=dict[int, set[str]])
    open: set[int] = field(default_factory=set[int])
    given: set[int] = field(default_factory=set[int])
    lists: set[str] = field(default_factory=set[str])
    columns: set[str] = field(default_factory=set[str])  # of tables: text, where nothing else is said
    types: dict[str, str] = field(default_factory=dict[str, str])
    formats: dict[str, str] = field(default_factory=dict[str, str])

    def at(self, level: int) -> set[str]:
        """Give the names that a task at `level` can use."""
        names = {*self.levels[:level]}
        return names.union(*(self.by_level.get(above, ()) for above in range(level + 1)))

    def finer_than(self, level: int, name: str) -> str | None:
        """Name the level below `level` that has `name`."""
        for below in range(level + 1, len(self.levels) + 1):
            if name == self.levels[below - 1] or name in self.by_level.get(below, ()):
                return self.levels[below - 1]
        return None

    def is_open(self, level: int) -> bool:
        return any(above <= level for above in self.open)

    @property
    def time_specs(self) -> dict[str, str]:
        """Give the formats that times are written with where a placeholder has none."""
        return {name: spec for name, spec in self.formats.items() if self.types.get(name) == "datetime"}


@contextmanager
def placed(places: Places, keys: Keys) -> Generator[None]:
    """Add file and line to an error from below that knows neither."""
    try:
        yield
    except DefinitionError as error:
        if error.file is not None:
            raise
        raise places.error(keys, error.message) from None


def assemble_sources(definition: Definition, root: Path, places: Places) -> tuple[tuple[Source, ...], Fields]:
    """Build the sources of a definition, coarse levels first."""
    levels = tuple(definition.campaign.levels)
    own = definition.units.__pydantic_extra__ or {}
    expanded = {stage.expands for stage in definition.stage.values() if stage.expands}
    fields = Fields(levels, expanded | {*own})
    tables: list[tuple[Keys, SourceTable, int | None]] = [(("units",), definition.units, None)]
    for name, table in own.items():
        tables.append((("units", name), table, levels.index(name) + 1))
    sources: dict[int, Source] = {}
    for keys, table, level in tables:
        fields.types.update(table.types)
        kinds = [kind for kind in KINDS if getattr(table, kind)]
        if len(kinds) > 1:
            raise places.error((*keys, kinds[1]), f"[{'.'.join(keys)}] has {' and '.join(kinds)}; choose one")
        if kinds:
            source = _Assembly(root, places, fields).source(keys, table, level)
            _refuse_second(source, sources, (*keys, kinds[0]), fields, places)
            sources[source.level] = source
        elif any(getattr(table, key) for key in (*FILES_ONLY, "derive")):
            message = f"[{'.'.join(keys)}] has no source; add one of {', '.join(KINDS)}"
            raise places.error(keys, message)
    agreed = [_agree_on_types(sources[level], fields, places) for level in sorted(sources)]
    return tuple(agreed), fields


def _refuse_second(
    source: Source, others: Mapping[int, Source], keys: Keys, fields: Fields, places: Places
) -> None:
    name = fields.levels[source.level - 1]
    if source.level in others:
        raise places.error(keys, f"the level {name!r} has two sources; join them, or give one another level")


def _agree_on_types(source: Source, fields: Fields, places: Places) -> Source:
    """One level has one type: a table reads its levels as the other sources do."""
    levels = fields.levels[: source.level]
    typed = source.pattern.types if isinstance(source, FileSource) else source.types
    for level in levels:
        if level in typed and typed[level] != fields.types[level]:
            message = f"the level {level!r} is {typed[level]} in one source and {fields.types[level]} in another; choose one"
            raise places.error(("units",), message)
    if isinstance(source, FileSource):
        return source
    known = {
        level: fields.types[level] for level in levels if level in fields.types and level not in source.derive
    }
    return replace(source, types={**known, **source.types})


@dataclass(slots=True)
class _Assembly:
    root: Path
    places: Places
    fields: Fields

    def source(self, keys: Keys, table: SourceTable, level: int | None) -> Source:
        with placed(self.places, (*keys, "derive")):
            derive = {name: Expression.parse(text) for name, text in table.derive.items()}
        if table.files:
            return self.files(keys, table, level, derive)
        for key in FILES_ONLY:
            if getattr(table, key):
                raise self.places.error((*keys, key), f"{key!r} goes with `files` only; remove it")
        if table.table:
            return self.table(keys, table, level, derive)
        level = level or self._finest_unexpanded()
        self.fields.open.add(level)
        self._add(level, {*table.types, *derive})
        return FunctionSource(level, table.python or "", table.types, derive)

    def files(
        self, keys: Keys, table: SourceTable, level: int | None, derive: dict[str, Expression]
    ) -> FileSource:
        with placed(self.places, (*keys, "files")):
            pattern = Pattern.parse(_home(table.files or ""))
            if table.files and "*" in table.files:
                raise DefinitionError(
                    f"the pattern {table.files!r} has a *; name each varying part instead, as in {{file}}"
                )
        self._check_names(keys, pattern)
        self._check_many(keys, table, pattern)
        self._check_file_types(keys, table, pattern)
        self.fields.types |= {"size": "int", **pattern.types}
        self._set_text({"path", "name", "stem"})
        self.fields.formats |= pattern.formats
        names = {*pattern.names} - {*table.many} | {*(GROUP_FIELDS if table.many else FILE_FIELDS)}
        self._check_derive(keys, derive, names)
        names |= {*derive}
        level = self._level((*keys, "files"), names, level, "the pattern and `derive`")
        self._add(level, names)
        if table.many:
            self.fields.lists.add("paths")
        with placed(self.places, (*keys, "companions")):
            companions = tuple(Template.parse(text, pattern.formats) for text in table.companions)
        self._check_companions(keys, companions, names)
        partial = self._partial(keys, table, pattern)
        return FileSource(
            level,
            pattern,
            settle_s=10.0 if table.settle is None else table.settle,
            many=tuple(table.many),
            companions=companions,
            partial=partial,
            exclude=tuple(table.exclude),
            types={name: kind for name, kind in table.types.items() if name in derive},
            derive=derive,
        )

    def _partial(self, keys: Keys, table: SourceTable, pattern: Pattern) -> Pattern | None:
        """Read the pattern of what stands beside a file that is still being written."""
        if table.partial is None:
            return None
        with placed(self.places, (*keys, "partial")):
            partial = Pattern.parse(_home(table.partial).replace("{path}", pattern.text))
            if partial.text.rpartition("/")[0] != pattern.text.rpartition("/")[0]:
                raise DefinitionError(
                    f"the partial {partial.text!r} is not beside {pattern.text!r}; write it with the same folders"
                )
            if partial.template.parts == pattern.template.parts:
                raise DefinitionError(
                    f"the partial {partial.text!r} is the file itself; write its name while it is being written"
                )
            if {*partial.names} - {*table.many} != {*pattern.names} - {*table.many}:
                raise DefinitionError(
                    f"the partial {partial.text!r} must name the unit as {pattern.text!r} does; write {{path}}.part,"
                    " or the same fields"
                )
        return partial

    def table(
        self, keys: Keys, table: SourceTable, level: int | None, derive: dict[str, Expression]
    ) -> TableSource:
        path = self.root / _home(table.table or "")
        header = read_header(path)
        if header is None:  # it may come later
            level = level or self._finest_unexpanded()
            self.fields.open.add(level)
            self._add(level, {*table.types, *derive})
        else:
            for name in table.types:
                if name not in header and name not in derive:
                    message = f"the table {path.name} has no column {name!r}; {nearest(name, header)}"
                    raise self.places.error((*keys, "types", name), message)
            self._check_derive(keys, derive, {*header})
            level = self._level((*keys, "table"), {*header, *derive}, level, f"the columns of {path.name}")
            self._add(level, {*header, *derive})
            self.fields.columns |= {*header} - {*derive}
            self._set_text({*header} - {*derive, *self.fields.levels})
        return TableSource(level, path, table.types, derive)

    def _add(self, level: int, names: set[str]) -> None:
        self.fields.given.add(level)
        own = names - {*self.fields.levels[:level]}
        if FAN in own:
            message = f"{FAN!r} means something else in paths of products and cannot be a field; rename it"
            raise self.places.error(("units",), message)
        self.fields.by_level.setdefault(level, set()).update(own)

    def _set_text(self, names: set[str]) -> None:
        """Without a type a value is text."""
        for name in names:
            self.fields.types.setdefault(name, "str")

    def _finest_unexpanded(self) -> int:
        """A function's or a missing table's level: the finest that has no units from elsewhere."""
        levels = self.fields.levels
        return next(
            (at for at in range(len(levels), 0, -1) if levels[at - 1] not in self.fields.elsewhere),
            len(levels),
        )

    def _level(self, keys: Keys, names: set[str], asked: int | None, what: str) -> int:
        levels = self.fields.levels
        found = [at for at, level in enumerate(levels, 1) if level in names]
        level = asked or max(found, default=0)
        if not level:
            message = (
                f"{what} of [{'.'.join(keys[:-1])}] name none of the levels {', '.join(levels)}; add one"
            )
            raise self.places.error(keys, message)
        for missing in levels[:level]:
            if missing not in names:
                where = f"{what} of [{'.'.join(keys[:-1])}]"
                message = (
                    f"{where} do not name the level {missing!r}; a unit needs all levels down to its own"
                )
                raise self.places.error(keys, message)
        return level

    def _check_names(self, keys: Keys, pattern: Pattern) -> None:
        for name in pattern.names:
            if name in ("path", "paths", "size") or "." in name:
                message = f"the pattern {pattern.text!r} has a field {name!r}, which penstock itself gives or uses; rename it"
                raise self.places.error((*keys, "files"), message)

    def _check_file_types(self, keys: Keys, table: SourceTable, pattern: Pattern) -> None:
        for name in table.types:
            if name in pattern.names:
                message = f"the type of {name!r} is set by the pattern; write it there, as in {{{name}:d}}"
                raise self.places.error((*keys, "types", name), message)

    def _check_many(self, keys: Keys, table: SourceTable, pattern: Pattern) -> None:
        for name in table.many:
            if name not in pattern.names:
                message = (
                    f"`many` names {name!r}, which is not in the pattern; {nearest(name, [*pattern.names])}"
                )
                raise self.places.error((*keys, "many"), message)
            if name in self.fields.levels:
                message = (
                    f"{name!r} is a level and cannot be in `many`; the files of one unit agree on its levels"
                )
                raise self.places.error((*keys, "many"), message)

    def _check_derive(self, keys: Keys, derive: dict[str, Expression], names: set[str]) -> None:
        known = {*names}
        for name, expression in derive.items():
            for used in expression.names:
                if used not in known:
                    message = f"`derive` of {name!r} names {used!r}, which is unknown; {nearest(used, sorted(known))}"
                    raise self.places.error((*keys, "derive", name), message)
            known.add(name)
            if kind := type_of(expression, self.fields.types):
                self.fields.types.setdefault(name, kind)

    def _check_companions(self, keys: Keys, companions: tuple[Template, ...], names: set[str]) -> None:
        for template in companions:
            for used in template.names:
                if used not in names:
                    message = f"the companion {template.text!r} names {used!r}, which is unknown; {nearest(used, sorted(names))}"
                    raise self.places.error((*keys, "companions"), message)


def _home(path: str) -> str:
    return str(Path.home()) + path[1:] if path.startswith("~/") else path
