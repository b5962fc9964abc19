"""The digest of a stage changes with what it does, and with nothing else (RULE 26)."""

import ast
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.config import load, to_json
from penstock.config.syntax import meaning_of

Define = Callable[..., Campaign]

STAGE = """
[params]
level = 3
other = 4
[stage.first]
each = "file"
command = ["true"]
products = "first/{file}_{run}_{night}"
[stage.a]
each = "file"
command = ["prog", "{path}", "{param.level}", "{product}"]
products = "a/{file}_{run}_{night}"
after = "first"
where = "run > 3"
environment = { X = "1" }
"""

CHANGES = [
    ('"prog"', '"prog2"'),
    ('"{path}"', '"-v", "{path}"'),
    ("level = 3", "level = 4"),
    ('"a/{file}', '"b/{file}'),
    ('after = "first"', 'after = [{ stage = "first", optional = true }]'),
    ('after = "first"\n', ""),
    ("run > 3", "run > 4"),
    ('X = "1"', 'X = "2"'),
    ('after = "first"', 'after = "first"\nversion = "2"'),
    ('after = "first"', 'after = "first"\nok_codes = [0, 3]'),
    ('after = "first"', 'after = "first"\nsuccess = { log = "done" }'),
    ('after = "first"', 'after = "first"\nparams = { more = 1 }'),
    ('after = "first"', 'after = "first"\nmembers = "done"'),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_what_a_stage_does_changes_its_digest(define: Define, old: str, new: str):
    assert old in STAGE
    before = define(STAGE).stage("a").digest
    assert define(STAGE.replace(old, new)).stage("a").digest != before


@pytest.mark.parametrize(
    "added",
    ["batch = 7", "workers = 2", 'site = "local"', "retry = { error = 9 }", 'resources = { memory = "9GB" }',
     'batch_wait = "1h"', 'late = "ask"', "rules = [{ exit = 4, verdict = 'transient' }]",
     'scratch = "$TMPDIR"\ncopy_inputs = true'],
)  # fmt: skip
def test_how_a_stage_is_run_does_not_change_its_digest(define: Define, added: str):
    before = define(STAGE).stage("a").digest
    assert define(STAGE.replace('after = "first"', f'after = "first"\n{added}')).stage("a").digest == before


def test_the_image_of_its_site_changes_the_digest_of_a_stage(define: Define):
    hpc = '[site.hpc]\nscheduler = "slurm"\ncontainer = "1.sif"\n'
    followed = STAGE + 'site = "hpc"\n[stage.b]\neach = "file"\nwith = "a"\ncommand = ["true"]\n' + hpc
    first, second = define(followed), define(followed.replace("1.sif", "2.sif"))
    changed = [s.name for s in first.stages if s.digest != second.stage(s.name).digest]
    assert changed == ["a", "b"]
    plain = followed.replace('container = "1.sif"\n', "")
    assert define(plain).stage("a").digest == define(STAGE).stage("a").digest


def test_a_shared_parameter_that_a_command_does_not_use_does_not_change_its_digest(define: Define):
    before = define(STAGE).stage("a").digest
    assert define(STAGE.replace("other = 4", "other = 5")).stage("a").digest == before


FUNCTION = '''
import json
FACTOR = 2
UNUSED = 1
def helper(x):
    return x * FACTOR
def process(task):
    """Do it."""
    return helper(task.fields["size"])  # twice
'''


def digest_of(folder: Path, code: str, modules: Mapping[str, str] | None = None) -> str:
    """The digest of a stage whose function stands in `own.py`, beside other modules of the campaign."""
    for name, text in {"own": code, **(modules or {})}.items():
        file = folder / f"{name}.py"
        file.parent.mkdir(exist_ok=True, parents=True)
        file.write_text(text)
    (folder / "penstock.toml").write_text(
        '[campaign]\nname = "x"\nlevels = ["file"]\n[units]\nfiles = "{file}.wav"\n'
        '[stage.a]\neach = "file"\npython = "own:process"\n'
    )
    return load(folder).stage("a").digest


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x * FACTOR", "x + FACTOR"),
        ("FACTOR = 2", "FACTOR = 3"),
        ('"size"', '"name"'),
        ("UNUSED = 1", "UNUSED = 2"),  # a whole module is what runs when it is imported
        ("import json", "import yaml as json"),
    ],
)
def test_an_own_function_counts_by_the_syntax_of_its_module(tmp_path: Path, old: str, new: str):
    before = digest_of(tmp_path, FUNCTION)
    assert digest_of(tmp_path, FUNCTION.replace(old, new)) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# twice", ""),
        ("Do it.", "Do it well."),
        ("def helper", "\n\n\n'''How much it is.'''\ndef helper"),
        ("x * FACTOR", "(x * FACTOR)"),
        ("return x * FACTOR", "'''Scale.'''\n    return x * FACTOR"),
        ('"size"', "'size'"),
    ],
)
def test_comments_docstrings_and_the_look_of_a_module_do_not_count(tmp_path: Path, old: str, new: str):
    before = digest_of(tmp_path, FUNCTION)
    assert digest_of(tmp_path, FUNCTION.replace(old, new)) == before


GUARDED = """
try:
    import cupy as xp
    BLOCK = 4096
except ImportError:
    BLOCK = 512
if BLOCK > 600:
    def shape(x): return x + 1
else:
    def shape(x): return x
WEIGHTS = []
WEIGHTS.append(3)
LIMIT = 1
LIMIT += 1
with open("/dev/null") as nothing:
    SEED = 7
def process(task): return shape(BLOCK)
"""


@pytest.mark.parametrize(
    ("old", "new"),
    [("= 512", "= 256"), ("return x\n", "return -x\n"), ("append(3)", "append(4)"), ("LIMIT += 1", "LIMIT += 2"),
     ("SEED = 7", "SEED = 8"), ("cupy", "numpy")],
)  # fmt: skip
def test_what_stands_under_a_condition_or_is_made_in_steps_counts(tmp_path: Path, old: str, new: str):
    assert old in GUARDED
    before = digest_of(tmp_path, GUARDED)
    assert digest_of(tmp_path, GUARDED.replace(old, new)) != before


PROCESS = "def process(task): pass\n"
IMPORTS = {
    "a module": ("import tools", "tools"),
    "a module under another name": ("import tools as t", "tools"),
    "a name of a module": ("from tools import gain", "tools"),
    "all of a module": ("from tools import *", "tools"),
    "a module of a package": ("import kit.tools", "kit/tools"),
    "what a package runs first": ("import kit.tools", "kit/__init__"),
    "a module taken from a package": ("from kit import tools", "kit/tools"),
    "a module that a package names for a star": ("from kit import *", "kit/tools"),
    "a module that is imported when needed": ("def later():\n    import tools", "tools"),
    "a module under a condition": ("if 1 > 2:\n    import tools", "tools"),
    "a module of which the other is imported": ("import first", "tools"),
    "a module that a function imports by its name": ("import importlib\nimportlib.import_module('tools')", "tools"),
    "a module beside one of a package": ("import kit.near", "kit/tools"),
    "a module above one of a package": ("import kit.deep.far", "kit/tools"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "module"), IMPORTS.values(), ids=IMPORTS)
def test_a_module_of_the_campaign_that_is_reached_by_import_counts(tmp_path: Path, text: str, module: str):
    around = {
        "tools": "gain = 1\n", "first": "from tools import gain\n", "kit/__init__": "__all__ = ['tools']\n",
        "kit/tools": "gain = 1\n", "kit/near": "from . import tools\n", "kit/deep/far": "from ..tools import gain\n",
    }  # fmt: skip
    code = PROCESS + text + "\n"
    before = digest_of(tmp_path, code, around)
    assert digest_of(tmp_path, code, {**around, module: around[module] + "gain = 2\n"}) != before
    assert digest_of(tmp_path, code, {**around, module: around[module] + "# as it was\n"}) == before


def test_a_module_that_nothing_imports_does_not_count(tmp_path: Path):
    code = PROCESS + "import json, other\n"
    before = digest_of(tmp_path, code, {"tools": "gain = 1\n"})
    assert digest_of(tmp_path, code, {"tools": "gain = 2\n"}) == before


def test_modules_that_import_each_other_are_read_once(tmp_path: Path):
    around = {"one": "import two\n", "two": "import one\n"}
    before = digest_of(tmp_path, PROCESS + "import one\n", around)
    around["two"] += "X = 1\n"
    assert digest_of(tmp_path, PROCESS + "import one\n", around) != before


def test_a_package_stands_before_a_module_of_its_name_as_in_python(tmp_path: Path):
    code, around = PROCESS + "import kit\n", {"kit": "X = 1\n", "kit/__init__": "Y = 1\n"}
    before = digest_of(tmp_path, code, around)
    assert digest_of(tmp_path, code, {**around, "kit": "X = 2\n"}) == before
    assert digest_of(tmp_path, code, {**around, "kit/__init__": "Y = 2\n"}) != before


def test_a_module_that_is_not_python_counts_by_its_text(tmp_path: Path):
    code = PROCESS + "import tools\n"
    before = digest_of(tmp_path, code, {"tools": "def (:\n"})
    assert digest_of(tmp_path, code, {"tools": "def ((:\n"}) != before


def test_empty_fields_that_only_some_versions_of_python_have_do_not_count():
    text = "def f(x: int = 0) -> int: return x\nclass C: pass"
    tree, newer = ast.parse(text), ast.parse(text)
    for node in newer.body:
        node._fields = (*node._fields, "type_params")
        setattr(node, "type_params", [])  # noqa: B010
    assert tree.body[0]._fields != newer.body[0]._fields
    assert meaning_of(tree) == meaning_of(newer)


PYTHON = """
import penstock
campaign = penstock.Campaign("x", levels=["file"], units=penstock.files("{file}.wav"))
SCALE = 2
@campaign.stage(each="file", products="a/{file}", batch=3)
def first(task):
    return SCALE
def shared(x):
    return x + 1
@campaign.stage(each="file", products="b/{file}")
def second(task):
    return 7
@campaign.stage(each="file", products="c/{file}")
def third(task):
    return second(task) + 8
campaign.stage("copy", each="file", command=["cp", "{path}", "{product}"], products="d/{file}")
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return SCALE", "return -SCALE", {"first"}),
        ("return 7", "return 9", {"second", "third"}),
        ("SCALE = 2", "SCALE = 3", {"first", "second", "third"}),
        ("x + 1", "x + 2", {"first", "second", "third"}),
        ("batch=3", "batch=4", set[str]()),
        ('["cp",', '["ln",', {"copy"}),
        ('"{file}.wav"', '"{file}.WAV"', set[str]()),
        ('"b/{file}"', '"bb/{file}"', {"second"}),
    ],
)
def test_a_stage_in_python_does_not_count_for_the_others_unless_they_name_it(
    tmp_path: Path, old: str, new: str, changed: set[str]
):
    def digests(text: str) -> dict[str, str]:
        (tmp_path / "campaign.py").write_text(text)
        return {stage.name: stage.digest for stage in load(tmp_path).stages}

    assert old in PYTHON
    before, after = digests(PYTHON), digests(PYTHON.replace(old, new))
    assert {name for name, digest in before.items() if after[name] != digest} == changed


def test_the_decorator_that_makes_a_stage_does_not_count(tmp_path: Path):
    before = digest_of(tmp_path, FUNCTION)
    assert (
        digest_of(
            tmp_path, FUNCTION.replace("def process", "@campaign.stage(each='file', batch=3)\ndef process")
        )
        == before
    )


FOLDER = {
    "fits.py": "from lab import scale\ndef fit(task):\n    return scale(2)\n",
    "lab/__init__.py": "from lab.prep import start\ndef scale(x):\n    return 3 * x\n",
    "lab/prep.py": "def start():\n    pass\n",
    "lab/__main__.py": "import lab\nprint(lab.scale(1))\n",
    "fast.abi3.so": "not Python",
}

#: what a stage runs, and the digest that records of campaigns have of it
RECORDED = [
    ('python = "fits:fit"\nsetup = "lab.prep:start"', "d10e8144abcfc22300bf6eef8ce12dad856d0bd020b75969eda884e6bd91f69c"),
    ('python = "lab:scale"', "7916d97f3a07861ff35b7f8c4c63197d9241c8ca507e475962ccbbf7057ca3d0"),
    ('python = "fast:run"', "9341eac9aed74841dd51bf3532f725aee75993633cacd29ec01a15008b043487"),
    ('python = "json:dumps"\nsetup = "fits:fit"', "360d5629af0ff4c9f62505871c0b0906fa7f5e5232cd8eb64d181471c00c83c6"),
    ('command = ["python", "-m", "lab", "{file}"]', "bacb4250f4e667bb73ac3c0281b27f693c98c3f4a9d0072e2d4ce26a028a379e"),
]  # fmt: skip


@pytest.mark.parametrize(("runs", "digest"), RECORDED)
def test_no_task_of_a_recorded_campaign_becomes_stale(define: Define, tmp_path: Path, runs: str, digest: str):
    for file, text in FOLDER.items():
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text(text)
    assert define(f'[stage.a]\neach = "file"\n{runs}\n').stage("a").digest == f"2:{digest}"


def test_an_input_template_counts_by_its_content(define: Define, tmp_path: Path):
    text = STAGE + 'scratch = true\ntemplates = { "in.txt" = "in.tmpl" }\n'
    (tmp_path / "in.tmpl").write_text("one {file}")
    before = define(text).stage("a").digest
    (tmp_path / "in.tmpl").write_text("two {file}")
    assert define(text).stage("a").digest != before


def test_the_frozen_copy_changes_with_anything(define: Define):
    one, two = to_json(define(STAGE)), to_json(define(STAGE, "stage.a.workers=2"))
    assert one["digest"] != two["digest"]
    assert one["stages"][1]["digest"] == two["stages"][1]["digest"]


def test_a_change_within_the_same_second_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "campaign.py"
    digests = list[str]()
    for text in (PYTHON, PYTHON.replace('["cp",', '["ln",')):
        file.write_text(text)
        os.utime(file, (1e9, 1e9))
        digests.append(next(s.digest for s in load(tmp_path).stages if s.name == "copy"))
    assert digests[0] != digests[1]
