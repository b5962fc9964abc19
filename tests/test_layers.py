"""Imports go down the layers of docs/design.md only; a new module has to be given its place here."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "src" / "penstock"

# From the bottom up. A module may import itself and whatever stands on a line above its own.
LAYERS = (
    {"runner"},  # the far end: standard library only
    {"errors"},
    {"clock", "csvfile", "disk", "extras", "hardware", "host", "machine"},
    {"channels", "units"},
    {"display"},
    {"outputs"},  # what becomes of products
    {"campaign", "complete", "functions"},
    {"config"},  # what people type, turned into a campaign
    {"graph", "decide", "batching", "layout"},
    {"rendering"},
    {"sources", "transports"},  # each knows the world outside, none the ledger
    {"schedulers"},
    {"ledger"},
    {"site"},
    {"pretended"},  # sites, clusters and runners that are none
    {"unattended"},  # what starts a conductor without a person
    {"status"},
    {"notify"},  # what tells people
    {"conductor"},
    {"report", "explain", "flowchart"},
    {"provenance"},  # where files come from
    {"closing"},  # what closes a group
    {"publishing"},  # what shows products to others
    {"moving"},  # what takes them to their final folders
    {"record"},  # what may be read and asked
    {"notebook"},  # a campaign that is defined in cells
    {"build"},  # the Python API, which also runs
    {"testing"},
    {"simulation"},  # the conductor on what is only pretended
    {"serve"},  # pages for a browser
    {"cli"},
    {"__main__"},
)
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}
WORKFLOWS_MAY_IMPORT = (
    "penstock.errors", "penstock.extras", "penstock.units", "penstock.campaign", "penstock.config.editors",
    "penstock.config.places", "penstock.record", "penstock.runner.task",
)  # fmt: skip
SHARED_BY_WORKFLOWS = ("penstock.workflows.reports", "penstock.workflows.setup", "penstock.workflows.stores")


def part_of(module: str) -> str:
    """Give the module or package right under penstock: `penstock.ledger.schema` is of `ledger`."""
    return module.split(".")[1] if "." in module else ""


def name_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(text: str, module: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield every absolute name that `module` imports, wherever in it the import stands."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def is_within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(f"{allowed}.")


def fault(module: str, imported: str) -> str | None:
    """Say what is wrong with this import, if anything."""
    mine, theirs = part_of(module), part_of(imported)
    if not is_within(imported, "penstock"):
        if mine == "runner" and imported.split(".")[0] not in sys.stdlib_module_names:
            return f"{module} imports {imported}: the far side has the standard library only"
        return None
    if mine == "workflows":
        own = ".".join(module.split(".")[:3])
        may = (*WORKFLOWS_MAY_IMPORT, own, *(() if own in SHARED_BY_WORKFLOWS else SHARED_BY_WORKFLOWS))
        return (
            None
            if any(is_within(imported, each) for each in may)
            else (f"{module} imports {imported}: it may import {', '.join(may)} only")
        )
    if theirs == mine or imported == "penstock.__version__" or module == "penstock":
        return None
    if theirs not in RANK:
        return f"{module} imports {imported}, which has no layer"
    if RANK[theirs] >= RANK[mine]:
        return f"{module} imports {imported}, which is not below it"
    return None


def faults_in(root: Path) -> list[str]:
    found: list[str] = []
    for path in sorted(root.rglob("*.py")):
        module = name_of(path, root)
        if part_of(module) not in RANK and part_of(module) not in ("", "workflows"):
            continue  # said by the test of the table
        names = imports_of(path.read_text("utf-8"), module, is_package=path.name == "__init__.py")
        found += [said for name in names if (said := fault(module, name))]
    return found


#: what touches a disk: modules, and the methods of paths that ask a file system
DISK_MODULES = {"os", "io", "shutil", "stat", "tempfile", "glob", "fcntl", "subprocess"}
DISK_METHODS = {
    "absolute", "chmod", "exists", "expanduser", "glob", "is_dir", "is_file", "is_symlink", "iterdir", "lstat", "mkdir",
    "read_bytes", "read_text", "readlink", "resolve", "rglob", "rmdir", "samefile", "stat", "symlink_to", "touch",
    "unlink", "write_bytes", "write_text",
}  # fmt: skip


def disk_uses(text: str) -> Iterator[str]:
    """Yield what a module does with a disk by itself."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.split(".")[0] in DISK_MODULES)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in DISK_MODULES:
            yield str(node.module)
        elif isinstance(node, ast.Attribute) and node.attr in DISK_METHODS:
            yield f".{node.attr}"
        elif isinstance(node, ast.Name) and node.id == "open":
            yield "open"


def test_the_conductor_touches_no_disk_by_itself() -> None:
    used = {path.name: [*disk_uses(path.read_text("utf-8"))] for path in (ROOT / "conductor").glob("*.py")}
    assert {name: uses for name, uses in used.items() if uses} == {}


def test_a_job_folder_is_touched_through_its_transport_alone() -> None:
    for name in ("folders", "cluster", "trial"):
        text = (ROOT / "site" / f"{name}.py").read_text("utf-8")
        allowed = {"os"} if name in ("cluster", "trial") else set[str]()  # for the environment
        assert set(disk_uses(text)) <= allowed, name


@pytest.mark.parametrize(
    "text",
    [
        "import os.path",
        "from shutil import rmtree",
        "open('x')",
        "path.read_text()",
        "def f(p):\n    import stat",
    ],
)
def test_a_use_of_the_disk_is_found(text: str) -> None:
    assert len([*disk_uses(text)]) == 1


def test_every_module_has_its_place_in_the_table() -> None:
    parts = {part_of(name_of(path)) for path in ROOT.rglob("*.py")} - {"", "workflows"}
    assert not parts - RANK.keys(), "give these a place in LAYERS, and in docs/design.md"


def test_imports_go_down_the_layers_only() -> None:
    assert faults_in(ROOT) == []


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("ledger.rows", "import penstock.conductor"),
        ("ledger.rows", "from penstock.site import Site"),
        ("ledger.rows", "from ..conductor.tick import tick"),
        ("ledger.rows", "from .. import conductor"),
        ("ledger.rows", "def later():\n    from penstock import cli"),
        ("ledger.rows", "from penstock import Campaign"),
        ("sources.files", "from penstock.schedulers import local"),
        ("conductor.tick", "from penstock.workflows.acoustics import psd"),
        ("runner.events", "import penstock.errors"),
        ("runner.events", "import numpy.fft"),
        ("workflows.acoustics.psd", "from penstock.ledger import Ledger"),
        ("workflows.acoustics.psd", "from penstock.runner.events import Events"),
        ("workflows.acoustics.psd", "from penstock.workflows.sweep import table"),
        ("workflows.reports.page", "from penstock.workflows.acoustics.qc import KINDS"),
        ("workflows.reports.page", "from penstock.workflows.setup.demo import run_demo"),
    ],
)
def test_an_import_that_goes_up_is_found(tmp_path: Path, module: str, text: str) -> None:
    path = tmp_path / "penstock" / f"{module.replace('.', '/')}.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert len(faults_in(tmp_path / "penstock")) == 1


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("ledger.rows", "from penstock import __version__"),
        ("ledger.rows", "from penstock.errors import LedgerError\nfrom .schema import TABLES"),
        ("ledger.rows", "from ..units import Key\nimport click"),
        ("conductor.tick", "from penstock import decide, ledger"),
        ("runner.events", "import json\nfrom .claim import Claim\nfrom . import task"),
        ("workflows.acoustics.psd", "import numpy\nfrom penstock.runner.task import Task"),
        (
            "workflows.acoustics.psd",
            "from penstock.workflows.reports.page import write_page\nfrom .qc import KINDS",
        ),
    ],
)
def test_an_import_that_goes_down_is_fine(tmp_path: Path, module: str, text: str) -> None:
    path = tmp_path / "penstock" / f"{module.replace('.', '/')}.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert faults_in(tmp_path / "penstock") == []
