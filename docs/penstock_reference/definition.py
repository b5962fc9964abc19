"""Every key of a definition, from the models that check it."""

import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo

from penstock.conductor.completeness import FORMS
from penstock.config import amounts, channels, closetables, models, provenance, publishtables, sitetables
from penstock.config.sources import FILE_FIELDS, GROUP_FIELDS
from penstock.units.expression import FUNCTIONS
from penstock.units.formats import DIRECTIVES
from penstock_reference.markdown import code, join, sentence, table

#: heading → the model whose keys stand there
SECTIONS: dict[str, type[BaseModel]] = {
    "[campaign]": models.CampaignTable,
    "[units]": models.UnitsTable,
    "[stage.NAME]": models.StageTable,
    "products": models.ProductTable,
    "after": models.AfterTable,
    "resources": models.ResourcesTable,
    "retry": models.RetryTable,
    "rules": models.RuleTable,
    "success": models.SuccessTable,
    "[site.NAME]": models.SiteTable,
    "partitions": sitetables.PartitionTable,
    "[program.NAME]": models.ProgramTable,
    "[close.LEVEL]": closetables.CloseTable,
    "[move.NAME]": publishtables.MoveTable,
    "[publish.NAME]": publishtables.PublishTable,
    "files": publishtables.ShownTable,
    "[notify.NAME]": channels.ChannelTable,
    "password": channels.SecretTable,
    "[provenance]": provenance.ProvenanceTable,
}

COMPLETE: list[str] = re.findall(r'"([^"]+)"', FORMS)

#: heading → how it is written
WRITTEN = {
    "[program.NAME]": "an executable that is built where it runs: [how](../howto/programs.md)",
    "[units]": "where units come from: one of `files`, `table` and `python`, and how",
    "[site.NAME]": "where jobs run; `local`, this machine, always exists. How the keys work together:"
    " [use a cluster](../howto/clusters.md). `group` is accepted and has no effect yet",
    "products": 'a path alone, as in `products = "a/{run}.h5"`, stands for one product called `product`; several have'
    " names: `products = { psd = { path = … }, picture = … }`",
    "after": "a stage's name alone stands for `{ stage = … }`",
    "resources": 'as in `resources = { memory = "2GB", walltime = "10min" }`',
    "retry": "one for each class of failure, as in `retry = { error = 2, timeout = { times = 3, scale = 1.5 } }`; a number"
    " alone is `times`. The defaults: [retries](states.md#retries)",
    "rules": 'a list, as in `rules = [{ exit = 3, verdict = "veto", why = "no signal" }]`; the first one counts of which all'
    " conditions hold ([how](../howto/retries.md))",
    "success": 'as in `success = { log = "finished normally" }`',
    "partitions": 'of a site, as in `partitions = [{ name = "short", max_walltime = "1h" }, { name = "gpu", gpus = 4 }]`: a job'
    " gets the first that is large enough",
    "[close.LEVEL]": "how the groups of a level end: [close a night](../howto/closing.md). A step is a word, or a table with"
    ' what it names, as in `steps = ["verify", { merge = "nightly" }, { seal = "closed/{night}" }]`',
    "[publish.NAME]": "products that others may see: [how](../howto/publishing.md)",
    "files": "of a publication; a stage's name alone stands for `{ stage = … }`",
    "[notify.NAME]": "how people are told what happens: by e-mail, webhook or program."
    " [What is told, and when](../howto/unattended.md#who-is-told)",
    "[provenance]": "what documents for archives say of the products: [how](../howto/provenance.md)",
    "password": 'as in `password = { file = "~/.config/lab/smtp" }`; so is `secret_url`',
}

#: by what checks a value → what to write
CHECKED = {
    "seconds": "duration",
    "size": "size",
    "_batch": "number or duration",
    "_gpus": "number or text",
    "_listed": "text or list",
}
PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    dict: "table",
    Any: "any value",
    NoneType: "",
}

PLACEHOLDERS = (
    (
        "`{run}`, `{run:05d}`",
        "a level or field of the unit or of a group above it, written as the format says",
    ),
    ("`{path}` `{name}` `{stem}` `{size}`", "of a file's unit: the file itself"),
    ("`{paths}`", "of a unit of `many` files: all of them, sorted; a whole argument of its own"),
    ("`{param.NAME}`", "a parameter of the stage, or a shared one"),
    ("`{program.NAME}`", "what was built of `[program.NAME]` where the command runs"),
    ("`{product}`, `{product.NAME}`", "where the program has to write; `{outdir}` is its folder"),
    (
        "`{fan}`",
        "in products only: two hex digits made of the unit's key, to [spread products over 256 folders](../howto/many.md)",
    ),
    ("`{inputs.STAGE}`", "the products of an upstream; several are several arguments"),
    ("`{inputs_file.STAGE}`", "a file that lists them, one on each line, for merges of thousands"),
    ("`{cpus}`", "the cores that the stage requests"),
    (
        "`{python}`",
        "the Python that runs there; a worker runs the [script](../howto/python.md#a-script-in-place-of-a-function) that follows",
    ),
    ("`{scratch}`", "the private folder of a stage with `scratch`"),
    ("`{{` and `}}`", "the braces themselves"),
)

INTRODUCTION = """# Definition keys

`penstock.toml` in the campaign's folder. A key that is not here is an error that names the nearest right one. The Python
API takes [the same keys](python.md).

Editors complete keys and mark mistakes as you type where they know JSON Schema, such as VS Code with *Even Better TOML*, or
all that speak to `taplo`. `penstock init` writes the line that they look for at the top, and `penstock check` and whatever
runs the campaign keep the schema that it names ({download}`download <../../src/penstock/config/schema.json>`) that of the
installed penstock. A definition that has no such line gets one by hand:

```toml
#:schema ./.penstock/schema.json
```"""

TOP = """## The tables

| table | what it is |
| --- | --- |
"""


def render_page() -> str:
    """Render the page."""
    return join(
        INTRODUCTION,
        TOP + "\n".join(f"| {code(name)} | {text} |" for name, text in _top()),
        *(_section(heading, model) for heading, model in SECTIONS.items()),
        _shapes(),
    )


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the keys of a table as people write them."""
    for name, field in model.model_fields.items():
        yield field.alias or name, field


def _top() -> Iterator[tuple[str, str]]:
    for name, field in keys_of(models.Definition):
        keyed = {name: f"[{name}.NAME]" for name in ("stage", "program", "site", "publish")} | {
            "close": "[close.LEVEL]"
        }
        yield keyed.get(name, f"[{name}]"), sentence(field.description or "")


def _section(heading: str, model: type[BaseModel]) -> str:
    inner = not heading.startswith("[")
    title = f"### {heading}" if inner else f"## {heading}"
    rows = [
        (
            code(key),
            describe_type(field.annotation, field.metadata),
            _default(field),
            sentence(field.description or ""),
        )
        for key, field in keys_of(model)
    ]
    units = (
        "`[units.LEVEL]` takes the same keys, for the fields of a coarser level."
        if heading == "[units]"
        else ""
    )
    return join(
        title,
        sentence(WRITTEN.get(heading) or _first_words(model)),
        table(("key", "value", "default", "meaning"), rows),
        units,
    )


def _first_words(model: type[BaseModel]) -> str:
    return (model.__doc__ or "").split(": ", 1)[-1]


def describe_type(kind: Any, metadata: Any = ()) -> str:
    """Say in words what to write for a value of a type."""
    for checker in metadata:
        if isinstance(checker, BeforeValidator):
            name = getattr(checker.func, "__name__", "")
            if name in CHECKED:
                return CHECKED[name]
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return describe_type(inner[0], inner[1:])
    if origin is Literal:
        return " or ".join(code(f'"{value}"') for value in inner)
    if origin in (Union, UnionType):
        return " or ".join(text for text in map(describe_type, inner) if text)
    if origin is list:
        return f"list of {describe_type(inner[0])}"
    if origin is dict:
        return f"table of {describe_type(inner[1])}"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        heading = next((name for name, model in SECTIONS.items() if model is kind), "")
        return f"[table](#{heading})" if heading else "table"
    return PLAIN[kind]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be given"
    value = field.get_default(call_default_factory=True)
    if value in (None, "", [], {}) or isinstance(value, BaseModel):
        return ""
    return code(
        {True: "true", False: "false"}.get(value, f'"{value}"')
        if isinstance(value, (bool, str))
        else str(value)
    )


def _shapes() -> str:
    times, bytes_ = (", ".join(map(code, units)) for units in (amounts.SECONDS, amounts.BYTES))
    return join(
        "## What values look like",
        "### Placeholders",
        "In `command`, in paths of products, in `key` and in templates. In a command a placeholder is always one argument,"
        " whatever is in it; in shell text it is quoted.",
        table(("placeholder", "stands for"), PLACEHOLDERS),
        "### Patterns",
        "A pattern of `files` finds the files, reads the fields from their names, and names the units. A field matches"
        " anything but `/`, as little as possible. `{run:05d}` is a whole number, `{t:.3f}` a number, and a time is made of"
        f" {', '.join(code(f'%{letter}') for letter in DIRECTIVES)}, read as UTC. The fields of a file's unit are those of"
        f" the pattern, of `derive`, and {', '.join(map(code, FILE_FIELDS))} (with `many`:"
        f" {', '.join(map(code, GROUP_FIELDS))}).",
        "### Durations and sizes",
        f'A duration is a number of seconds, or text such as `"90s"`, with {times}, or `"HH:MM:SS"`. A size is a number of'
        f' bytes, or text such as `"2GB"`, with {bytes_}.',
        "### Conditions and derived fields",
        "`where` and `derive` are expressions over fields: comparisons, `and or not in`, arithmetic without powers,"
        " `x if c else y`, texts, numbers, lists, items and slices, and the functions"
        f" {', '.join(map(code, FUNCTIONS))}. There are no attributes and nothing that could run a program.",
        "### Complete groups",
        "While penstock keeps watching, a group that other stages merge needs a condition for its level:"
        f" {', '.join(map(code, COMPLETE))}. [How to merge under watch](../howto/groups.md).",
    )
