"""Checks that what the stages name exists: executables of local stages, and Python functions, without importing them."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import sys
from itertools import pairwise
from pathlib import Path

from penstock.campaign import Campaign, FunctionSource, Program, Site, Stage
from penstock.config.code import MOST_BYTES, is_large
from penstock.config.collisions import check_collisions
from penstock.config.places import Places, find_lines
from penstock.errors import DefinitionError
from penstock.functions import Folder, Imported, InFile, find_function
from penstock.units import Placeholder

SHELL_WORDS = frozenset(
    [
        "if",
        "then",
        "else",
        "elif",
        "fi",
        "for",
        "while",
        "until",
        "do",
        "done",
        "case",
        "esac",
        "in",
        "{",
        "}",
        "!",
        "[",
        "[[",
        "(",
        "cd",
        "echo",
        "exit",
        "export",
        "read",
        "set",
        "test",
        "true",
        "false",
        "ulimit",
        "umask",
        "unset",
        "trap",
        "eval",
        "exec",
        "source",
        ".",
        ":",
        "printf",
        "wait",
        "shift",
        "return",
        "local",
        "time",
    ]
)


def check_reach(campaign: Campaign) -> list[str]:
    """Raise if there is no stage, and for the first thing that cannot be reached; return warnings about shell text."""
    places = Places(campaign.file, _lines(campaign.file))
    if not campaign.stages:
        message = "the definition has no stage, so there is nothing to do; add [stage.NAME] with `each` and a `command`"
        raise places.error((), message)
    check_collisions(campaign, places)
    warnings: list[str] = []
    for source in campaign.sources:
        if isinstance(source, FunctionSource):
            _check_function(source.function, campaign.root, places, ("units",))
    for stage in campaign.stages:
        for key, reference in (("python", stage.python), ("setup", stage.setup)):
            if reference:
                _check_function(reference, campaign.root, places, ("stage", stage.name, key))
        if stage.command and _runs_here(stage, campaign):
            warnings += _check_command(stage, campaign, places)
        for program in stage.programs:
            _check_build(program, campaign.site_of(stage), places)
        _check_templates(stage, campaign, places)
        warnings += _large_files(stage, campaign.root)
    _check_extras(campaign, places)
    return warnings


def _large_files(stage: Stage, root: Path) -> list[str]:
    large = [file for file in stage.code if is_large(root / file)]
    counts = f"is larger than {MOST_BYTES // 1_000_000} MB: its size and time are compared, not its content"
    return [f"{file}, which {stage.name!r} names, {counts}" for file in large]


def _lines(file: Path | None) -> dict[tuple[str, ...], int]:
    if file is None or file.suffix != ".toml" or not file.exists():
        return {}
    return find_lines(file.read_text(encoding="utf-8"))


def _runs_here(stage: Stage, campaign: Campaign) -> bool:
    return campaign.site_of(stage).is_here


def _check_command(stage: Stage, campaign: Campaign, places: Places) -> list[str]:
    first = stage.command[0]
    program = _first_word(first.text) if stage.shell else first.text
    if not program or any(
        isinstance(part, Placeholder) for part in first.parts[: 1 if stage.shell else None]
    ):
        return []
    path = {**os.environ, **stage.environment}.get("PATH")
    if find_program(program, campaign.root, path):
        return []
    remedy = "install it, correct its name, or give the path from the campaign's folder"
    message = f"{program!r}, the command of {stage.name!r}, is neither on PATH nor an executable below {campaign.root}"
    if stage.shell:
        return [f"{message}; {remedy}"]
    raise places.error(("stage", stage.name, "command"), f"{message}; {remedy}")


MAKEFILES = ("GNUmakefile", "makefile", "Makefile")


def _check_build(program: Program, site: Site, places: Places) -> None:
    """Raise if a build misses what can be known here: the tool on this machine, the Makefile among what it is built from."""
    tool, keys = _first_word(program.build), ("program", program.name, "build")
    if (
        tool
        and "/" not in tool
        and site.is_here
        and not (site.setup or site.container)
        and not shutil.which(tool)
    ):
        message = (
            f"{tool!r}, which builds [program.{program.name}], is not on PATH; install it, or correct `build`"
        )
        raise places.error(keys, message)
    makefiles = _makefiles(program.build.splitlines()[0])
    if tool == "make" and not any(name in program.files for name in makefiles):
        message = f"[program.{program.name}] is built by `make`, and none of its `sources` is {makefiles[-1]}; add it"
        raise places.error(keys, message)


def _makefiles(line: str) -> list[str]:
    """Return the files of which `make` reads one, by the options -C and -f."""
    words = line.split()
    given = {word: after for word, after in pairwise(words) if word in ("-C", "-f")}
    names = [given["-f"]] if "-f" in given else MAKEFILES
    return [os.path.normpath(os.path.join(given.get("-C", ""), name)) for name in names]


def _first_word(text: str) -> str:
    word = next(iter(text.split()), "")
    is_plain = re.fullmatch(r"[\w./+-]+", word) and word not in SHELL_WORDS
    return word if is_plain else ""


def find_program(program: str, root: Path, path: str | None) -> str | None:
    """Find an executable as the runner will: on PATH, or from the campaign's folder when it has a slash."""
    return shutil.which(str(root / program) if "/" in program else program, path=path)


def _check_templates(stage: Stage, campaign: Campaign, places: Places) -> None:
    for name, path in stage.templates.items():
        if not (campaign.root / path).is_file():
            message = f"the template {path!r} of {stage.name!r} does not exist below {campaign.root}; correct its path"
            raise places.error(("stage", stage.name, "templates", name), message)


def _check_function(reference: str, root: Path, places: Places, keys: tuple[str, ...]) -> None:
    match find_function(reference, Folder(root)):
        case InFile(_, name, own):
            file = root / own
        case Imported(module, name):
            file = _installed(module, root, reference, places, keys)
    if file.suffix != ".py":
        return  # built in, or compiled: nothing to read
    try:
        names = _names(ast.parse(file.read_bytes()))
    except SyntaxError as error:
        raise DefinitionError(
            f"the module of {reference!r} is not Python: {error.msg}", file=file, line=error.lineno
        ) from None
    except ValueError as error:  # not UTF-8, or with a null byte
        raise DefinitionError(f"the module of {reference!r} is not Python: {error}", file=file) from None
    if name not in names and "*" not in names and "__getattr__" not in names:
        from difflib import get_close_matches

        near = get_close_matches(name, sorted(names), n=1)
        remedy = f"did you mean {near[0]!r}?" if near else "correct its name"
        raise places.error(keys, f"{file} has no function {name!r}, which {reference!r} names; {remedy}")


def _check_extras(campaign: Campaign, places: Places) -> None:
    """Raise if a workflow's functions will run here and something that the workflow imports is not installed."""
    here = [
        s for s in campaign.stages if s.python and _runs_here(s, campaign) and not campaign.site_of(s).python
    ]
    named = {find_function(s.python or "", Folder(campaign.root)): s.name for s in reversed(here)}
    installed = {function.module: name for function, name in named.items() if isinstance(function, Imported)}
    if not installed:
        return
    from penstock.extras import explain_missing, workflow_of  # which looks through all that is installed

    stages = {workflow: name for module, name in installed.items() if (workflow := workflow_of(module))}
    for workflow, stage in stages.items():
        if why := explain_missing(workflow):
            raise places.error(("stage", stage, "python"), why)


def _installed(module: str, root: Path, reference: str, places: Places, keys: tuple[str, ...]) -> Path:
    """Find an installed module's file. Of a package, only the parents are imported."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError, AttributeError):
        spec = None
    if spec is None:
        where = f"in {root} or by {sys.executable}"
        message = f"the module {module!r} of {reference!r} cannot be found {where}; install it or correct it"
        raise places.error(keys, message)
    return Path(spec.origin or "")


def _names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                names.update((alias.asname or alias.name).partition(".")[0] for alias in aliases)
            case ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
            case _:
                pass
    return names
