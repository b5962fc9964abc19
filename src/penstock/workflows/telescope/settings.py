"""What a person says about a telescope, in `telescope.toml`: where its tables and files are, and what is chosen by run."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from penstock.errors import DefinitionError
from penstock.units import Expression, Template, unknown_name

FILE = "telescope.toml"
WALK_BACK = 4  # nights before this one that may give the calibration

#: table of `telescope.toml` → its keys: what stands there, and the fields that its placeholders can be
KEYS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tables": {
        "summary": ("date",),  # ECSV: run_id, n_subruns, run_type, …
        "catalogue": ("date",),  # ECSV: run_id, source_name, ra, dec, …
        "sky": ("date",),  # ECSV: run_id, and columns that rules name, such as nsb
        "make_summary": ("date", "night"),  # commands, for when there is none
        "make_catalogue": ("date", "night"),
    },
    "files": {
        "r0": ("date", "run", "subrun"),
        "pedestal_ids": ("date", "run", "subrun"),
        "drive": ("date",),
        "time_sampling": ("date", "run"),
        "systematic_correction": ("date",),
        "drs4_pedestal": ("date", "run"),  # what exists already, where none is to be made
        "charge_calibration": ("date", "run"),
        "gain_selection": (
            "date",
        ),  # a file that is there when all subruns of a night have their gain selected
    },
    "calibration": {"walk_back": ()},
}
TOP = ("telescope", "since", *KEYS, "cleaning", "model")
NEEDED = (("tables", "summary"), ("files", "r0"))
RULE = ("name", "path", "where")


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of a table of choices: what is chosen where the condition holds; without a condition, in all other cases."""

    name: str
    path: str
    where: Expression | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All of `telescope.toml`; paths are as seen from the campaign's folder."""

    telescope: str
    since: date | None = None  # earlier nights are none of this campaign's, unless `nights.txt` lists nights
    tables: Mapping[str, Template] = field(default_factory=dict[str, Template])
    commands: Mapping[str, tuple[Template, ...]] = field(default_factory=dict[str, tuple[Template, ...]])
    files: Mapping[str, Template] = field(default_factory=dict[str, Template])
    walk_back: int = WALK_BACK
    choices: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict[str, tuple[Choice, ...]])

    @property
    def uses_existing(self) -> bool:
        """Whether calibration products that are there already are used, and none is made."""
        return {"drs4_pedestal", "charge_calibration"} <= self.files.keys()


def read_settings(root: Path) -> Settings:
    """Read `telescope.toml` of a campaign. Raises DefinitionError with the key that is wrong."""
    path = root / FILE
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        message = f"there is no {FILE} in {root}, which says where the tables of runs are: `penstock init telescope` writes one"
        raise DefinitionError(message) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"it cannot be read: {error}", file=path) from None
    try:
        return settings_of(given)
    except DefinitionError as error:
        raise DefinitionError(error.message, file=path) from None


def settings_of(given: Mapping[str, Any]) -> Settings:
    """Check what was read; raises DefinitionError."""
    _check_words(given, TOP, "the top of it")
    for table, keys in KEYS.items():
        _check_words(_table(given, table), [*keys], f"[{table}]")
    for table, key in NEEDED:
        if key not in _table(given, table):
            raise DefinitionError(f"[{table}] needs {key!r}")
    tables, files = _table(given, "tables"), _table(given, "files")
    commands = {key: tables[key] for key in ("make_summary", "make_catalogue") if key in tables}
    return Settings(
        telescope=_telescope(given.get("telescope")),
        since=_day(given.get("since")),
        tables={key: _path("tables", key, text) for key, text in tables.items() if key not in commands},
        commands={key: _command(key, words) for key, words in commands.items()},
        files={key: _path("files", key, text) for key, text in files.items()},
        walk_back=_count(_table(given, "calibration").get("walk_back", WALK_BACK)),
        choices={kind: _choices(kind, given.get(kind, [])) for kind in ("cleaning", "model")},
    )


def _check_words(given: Mapping[str, Any], known: list[str] | tuple[str, ...], place: str) -> None:
    for word in given:
        if word not in known:
            raise DefinitionError(unknown_name(word, [*known], place))


def _table(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = given.get(name, {})
    if not isinstance(table, Mapping):
        raise DefinitionError(f"{name!r} is a table: write [{name}], and its keys below")
    return table  # type: ignore[reportUnknownVariableType]


def _telescope(given: Any) -> str:
    if not isinstance(given, str) or not given or "/" in given or given.split() != [given]:
        raise DefinitionError("`telescope` must name it, in one word, such as LST1")
    return given


def _day(given: Any) -> date | None:
    if given is None or type(given) is date:
        return given
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise DefinitionError(f"`since` is {given!r}, and must be a date such as 2020-01-17") from None


def _count(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int) or given < 0:
        raise DefinitionError(f"`walk_back` is {given!r}, and must be a number of nights, 0 or more")
    return given


def _path(table: str, key: str, text: Any) -> Template:
    if not isinstance(text, str) or not text:
        raise DefinitionError(f"{key!r} of [{table}] must be a path")
    template = Template.parse(text)
    _check_placeholders(template, KEYS[table][key], key)
    return template


def _command(key: str, words: Any) -> tuple[Template, ...]:
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):  # type: ignore[reportUnknownVariableType]
        raise DefinitionError(f"{key!r} of [tables] must be a command: a list of texts")
    templates = tuple(Template.parse(word) for word in words)  # type: ignore[reportUnknownArgumentType]
    for template in templates:
        _check_placeholders(template, KEYS["tables"][key], key)
    return templates


def _check_placeholders(template: Template, known: tuple[str, ...], key: str) -> None:
    for name in template.names:
        if name not in known:
            raise DefinitionError(unknown_name(name, [*known], f"{key!r}"))


def _choices(kind: str, given: Any) -> tuple[Choice, ...]:
    if not isinstance(given, list):
        raise DefinitionError(f"{kind!r} is a list of rules: write [[{kind}]], and the keys of one below")
    return tuple(_choice(kind, rule) for rule in given)  # type: ignore[reportUnknownVariableType]


def _choice(kind: str, rule: Any) -> Choice:
    if not isinstance(rule, Mapping):
        raise DefinitionError(f"{kind!r} is a list of rules: write [[{kind}]], and the keys of one below")
    texts: dict[str, Any] = {str(word): value for word, value in rule.items()}  # type: ignore[reportUnknownVariableType]
    _check_words(texts, RULE, f"[[{kind}]]")
    if (
        not all(isinstance(text, str) and text for text in texts.values())
        or not {"name", "path"} <= texts.keys()
    ):
        raise DefinitionError(
            f"each [[{kind}]] needs `name` and `path`, both texts, and `where` unless it is for the rest"
        )
    where = texts.get("where")
    return Choice(texts["name"], texts["path"], Expression.parse(where) if where else None)
