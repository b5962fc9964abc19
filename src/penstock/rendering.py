"""From a task to what the runner reads: a line of `tasks.jsonl`, a stage of `spec.json`. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from penstock.campaign import Campaign, FileSource, Stage
from penstock.errors import DefinitionError
from penstock.functions import find_function
from penstock.runner.sealed import digest_of, seal
from penstock.units import Placeholder, Template

ARGV_MOST = 100_000  # bytes of one several-valued placeholder; above it a file that lists them is the way
LISTED_FROM = 50  # inputs of a Python task: more than these travel as a list file
PATH_WORDS = frozenset({"path", "paths"})
RUNNER_WORDS = frozenset({"scratch", "outdir", "python"})

Values = Mapping[str, Any]
Paths = Mapping[str, Sequence[tuple[str, str]]]  # upstream stage → (product name, path)
Item = Any  # text, {"ref": name}, or a list of these that the runner joins


class View(NamedTuple):
    """The campaign's folder as tasks see it where they run, and the other folders of ours that they see there."""

    root: Path
    travels: bool = False  # it is another folder: tasks work on copies of what was sent
    paths: Mapping[str, str] = {}

    def shared(self, path: Path) -> str | None:
        """Return where a path is that need not travel; None if it must.

        >>> View(Path("/far"), True, {"/data": "/mnt/data"}).shared(Path("/data/a.wav"))
        '/mnt/data/a.wav'
        """
        for here, there in self.paths.items():
            if path.is_relative_to(here):
                return str(Path(there, path.relative_to(here)))
        return None


class Line(NamedTuple):
    """What one task becomes: the line's data, its products' (name, path), and the inputs that it works on copies of."""

    data: dict[str, Any]
    products: list[tuple[str, str]]
    copied: list[str]


class Renderer:
    """Renders the tasks of one stage; everything that is the same for all of them is computed once."""

    def __init__(
        self,
        stage: Stage,
        campaign: Campaign,
        *,
        list_file: Callable[[Sequence[str]], str],
        view: View | None = None,
    ) -> None:
        self.stage, self.root, self.list_file = stage, campaign.root, list_file
        self.view = view or View(campaign.root)
        self.copies = stage.copy_inputs or self.view.travels
        self.copied, self.shared, self.rules = list[str](), list[str](), stage.rules_at_end
        sources = [s for s in campaign.sources if isinstance(s, FileSource) and s.level <= stage.level]
        self.companions = max(sources, key=lambda source: source.level).companions if sources else ()
        self.params = {f"param.{name}": value for name, value in stage.params.items()}
        self.argv = [self.compile(template) for template in stage.command] if not stage.shell else []
        self.script, self.environment = shell_script(stage) if stage.shell else ("", {})
        names = [name.partition(".") for template in stage.command for name in template.names]
        self.lists = {stage for kind, _, stage in names if kind == "inputs_file"}

    def line(self, unit: int, label: str, key: Sequence[Any], values: Values, inputs: Paths) -> Line:
        """Render one task."""
        products = [(p.name, p.path_for(key, values)) for p in self.stage.products]
        data: dict[str, Any] = {"u": unit, "s": self.stage.name, "k": label, "key": key}
        self.copied, self.shared = list[str](), list[str]()
        if self.stage.python:
            read = {} if self.stage.closing else self.python_inputs(inputs)  # a closing asks the record
            data |= {"fields": self.fields(values), "inputs": read}
        else:
            data |= self.command(values, inputs)
        if products:
            data["products"] = {
                p.name: {"path": path, "optional": p.optional, "from": p.taken_from, "folder": p.folder}
                for p, (_, path) in zip(self.stage.products, products, strict=True)
            }
        fitting = [number for number, rule in enumerate(self.rules) if rule.fits(values)]
        if len(fitting) < len(self.rules):
            data["rules"] = fitting
        if self.shared:
            data["shared"] = self.shared
        if self.companions and (own := self.own_copied(values)):
            beside = [template.render(values) for template in self.companions]
            data["beside"] = {own: beside}
            self.copied += beside
        return Line(data, products, self.copied)

    def own_copied(self, values: Values) -> str | None:
        """Return the first file of the unit that the task works on a copy of."""
        own = (values.get("path"), *values.get("paths", ()))
        return next((path for path in own if path in self.copied), None)

    def command(self, values: Values, inputs: Paths) -> dict[str, Any]:
        """Return argv and environment of a command."""
        known = {**self.params, **values, "cpus": self.stage.resources.cpus}
        named = {
            name: self.listed(self.read_here([path for _, path in paths]))
            for name, paths in inputs.items()
            if name in self.lists
        }
        extra = {"fields": self.fields(values)} if self.stage.templates else {}
        if self.stage.shell:
            env = {word: join(self.pieces(part, known, inputs)) for word, part in self.environment.items()}
            return {"argv": ["/bin/sh", "-c", self.script], "env": env, "inputs": named, **extra}
        argv = [item for render in self.argv for item in render(known, inputs)]
        return {"argv": argv, **({"inputs": named} if named else {}), **extra}

    def compile(self, template: Template) -> Callable[[Values, Paths], list[Item]]:
        """Return a function that renders one element of argv to one item or, if it stands for several values, to many."""
        only = template.parts[0] if len(template.parts) == 1 else None
        if isinstance(only, Placeholder) and several(only.name):
            return lambda values, inputs: self.many(only.name, values, inputs)
        if not any(special(name) for name in template.names):
            return lambda values, inputs: [template.render(values)]
        parts = template.parts
        return lambda values, inputs: [join([p for part in parts for p in self.pieces(part, values, inputs)])]

    def pieces(self, part: str | Placeholder, values: Values, inputs: Paths) -> list[Item]:
        """Render one part of an element."""
        if isinstance(part, str):
            return [part]
        name = part.name
        if name == "product":
            return [{"ref": f"product.{self.stage.products[0].name}"}]
        if name.startswith(("product.", "inputs_file.", "program.")) or name in RUNNER_WORDS:
            return [{"ref": name}]
        if several(name):
            found = self.many(name, values, inputs)
            if len(found) != 1:
                raise DefinitionError(
                    f"stage '{self.stage.name}': {{{name}}} stands for {len(found)} values within one word:"
                    " make it a separate word, or use {inputs_file.STAGE}"
                )
            return found
        if name in PATH_WORDS:
            return [self.input(str(values[name]))]
        return [part_text(part, values)]

    def many(self, name: str, values: Values, inputs: Paths) -> list[Item]:
        """Return the values of a placeholder that may stand for several."""
        if name == "paths":
            found = [str(path) for path in values["paths"]]
        elif name == "path":
            found = [str(values["path"])]
        else:
            _, stage, *product = name.split(".")
            found = [p for made, p in inputs.get(stage, ()) if not product or made == product[0]]
        if sum(map(len, found)) > ARGV_MOST:
            raise DefinitionError(
                f"stage '{self.stage.name}': {{{name}}} is more than {ARGV_MOST} bytes:"
                " use {inputs_file.STAGE}, a file that lists them"
            )
        return [self.input(path) for path in found]

    def input(self, path: str) -> Item:
        """Return an input as the command gets it: its path, or a reference to the copy that its runner makes."""
        there = self.take(path)
        return {"ref": f"input.{path}"} if there is None else there

    def take(self, path: str) -> str | None:
        """Return where an input is for a task; None if it works on a copy of it."""
        if self.copies and (there := self.view.shared(self.root / path)) is not None:
            return there
        if self.copies:
            self.copied.append(path)
            return None
        return self.safe_path(path)

    def safe_path(self, path: str) -> str:
        """Return a path that no program takes for an option, and that is valid in the folder where the command runs."""
        if path.startswith("/"):
            return path
        return str(self.view.root / path) if self.stage.scratch else f"./{path}"

    def fields(self, values: Values) -> Values:
        """Return the fields of a Python task; of its unit's files, those that it sees under another path have that."""
        if self.stage.fields:
            values = {name: values[name] for name in self.stage.fields if name in values}
        if not self.copies:
            return values
        files = {name: values[name] for name in PATH_WORDS if values.get(name)}
        return {**values, **{name: self.seen(given) for name, given in files.items()}}

    def seen(self, given: str | Sequence[str]) -> str | list[str]:
        """Return inputs of a Python task as its runner reads them: it makes copies of those that are not shared."""
        return self.seen_one(given) if isinstance(given, str) else [self.seen_one(path) for path in given]

    def seen_one(self, path: str) -> str:
        there = self.take(path)
        if there is not None:
            self.shared.append(there)
        return path if there is None else there

    def python_inputs(self, inputs: Paths) -> dict[str, Any]:
        """Return the inputs of a Python task: by stage, and by stage and product where there are several."""
        named: dict[str, Any] = {}
        for stage, paths in inputs.items():
            named[stage] = self.listed(self.read_here([path for _, path in paths]))
            names = {name for name, _ in paths}
            if len(names) > 1:
                named |= {
                    f"{stage}.{n}": self.listed(self.read_here([path for made, path in paths if made == n]))
                    for n in sorted(names)
                }
        return named

    def read_here(self, paths: Sequence[str]) -> Sequence[str]:
        """Return upstream products as a list of inputs has them."""
        return [self.seen_one(path) for path in paths] if self.copies else paths

    def listed(self, paths: Sequence[str]) -> Any:
        """Return a list of paths as it is, or the file that lists them when it is long."""
        if len(paths) <= LISTED_FROM:
            return list(paths)
        return {"list": self.list_file(paths), "count": len(paths)}


def several(name: str) -> bool:
    """Whether a placeholder can stand for several values, or for a path."""
    return name in PATH_WORDS or name.startswith("inputs.")


def special(name: str) -> bool:
    """Whether a placeholder is more than a value of the unit."""
    named = {"product", "program", "inputs", "inputs_file"}
    return name.split(".")[0] in named | RUNNER_WORDS | PATH_WORDS


def part_text(part: Placeholder, values: Values) -> str:
    """Render one placeholder."""
    return Template.parse("{" + part.name + (f":{part.spec}" if part.spec else "") + "}").render(values)


def join(pieces: Sequence[Item]) -> Item:
    """Put neighbouring texts together; what only the runner knows stays a reference."""
    joined: list[Item] = []
    for piece in pieces:
        if isinstance(piece, str) and joined and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined[0] if len(joined) == 1 else joined


def shell_script(stage: Stage) -> tuple[str, dict[str, Placeholder]]:
    """Return the script of a shell stage, its placeholders as `"$P_name"`, and what each of these stands for."""
    names: dict[str, Placeholder] = {}
    words = [
        part if isinstance(part, str) else f'"${shell_name(part, names)}"'
        for t in stage.command
        for part in t.parts
    ]
    return "".join(words), names


def shell_name(part: Placeholder, names: dict[str, Placeholder]) -> str:
    """Return the environment name of a placeholder, the same for the same one."""
    stem = "P_" + re.sub(r"\W", "_", part.name + (f"_{part.spec}" if part.spec else ""), flags=re.ASCII)
    name, number = stem, 1
    while names.setdefault(name, part) != part:
        number += 1
        name = f"{stem}_{number}"
    return name


def stage_spec(
    stage: Stage, number: int, campaign: Campaign, *, view: View | None = None, time_scale: float = 1.0
) -> dict[str, Any]:
    """Return what the runner must know about a stage."""
    limit, view = stage.resources.walltime_s, view or View(campaign.root)
    return {
        "id": number,
        "digest": stage.digest,
        "python": stage.python and find_function(stage.python, stage.code).deliver(),
        "setup": stage.setup and find_function(stage.setup, stage.code).deliver(),
        "path": [str(view.root)],
        "types": {name: kind for name, kind in campaign.types.items() if kind == "datetime"},
        "params": dict(stage.params),
        "ok_codes": list(stage.ok_codes),
        "success_log": stage.success_log,
        "limit_s": limit and limit * time_scale,
        "memory_bytes": stage.resources.memory_bytes,
        "cpus": stage.resources.cpus,
        "gpus": stage.resources.gpus,
        "scratch": stage.scratch,
        "scratch_at": stage.scratch_at,
        "copy_inputs": stage.copy_inputs or view.travels,
        "sent": [name for name in stage.code if view.travels and not name.startswith("/")],
        "built": [program.name for program in stage.programs],
        "templates": dict(stage.templates),
        "environment": dict(stage.environment),
        "rules": [
            {"exit": r.exit, "log": r.log, "verdict": r.verdict, "why": r.why, "name": r.name}
            for r in stage.rules_at_end
        ],
        "expands": None if stage.expands is None else campaign.levels[stage.expands - 1],
    }


def batch_text(
    number: int, workers: int, lines: Sequence[Mapping[str, Any]], *, devices: Sequence[str] = ()
) -> bytes:
    """Return a batch as it stands in `tasks.jsonl`: a header, and a line a task."""
    body = b"".join(dump(line) for line in lines)
    size: dict[str, Any] = {"batch": number, "workers": workers, "tasks": len(lines), "bytes": len(body)}
    if devices:
        size["devices"] = list(devices)
    return seal(dump({**size, "body": digest_of(body).decode()})) + b"\n" + body


def dump(data: Mapping[str, Any]) -> bytes:
    """Return one line of JSON; names that are not UTF-8 were refused earlier."""
    return ENCODE(data).encode() + b"\n"


ENCODE = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def job_spec(
    token: str, campaign: Campaign, stages: Mapping[str, Any], *, root: Path | None = None, **more: Any
) -> bytes:
    """Return `spec.json` of a job."""
    spec = {
        "format": 1,
        "token": token,
        "campaign": campaign.name,
        "root": str(root or campaign.root),
        "stages": stages,
        "variables": list(campaign.provenance.environment),
        "versions": {name: list(argv) for name, argv in campaign.provenance.versions.items()},
        **more,
    }
    return seal(json.dumps(spec, ensure_ascii=False, indent=1).encode())


def relative_to_root(path: Path, root: Path) -> str:
    """Return a path as the runner, which stands in the campaign's folder, reads it."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
