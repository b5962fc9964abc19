"""The digest of a stage changes with what it does, and with nothing else (RULE 26)."""

from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.config import load, to_json

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
     'batch_wait = "1h"', 'late = "ask"', "rules = [{ exit = 4, verdict = 'transient' }]"],
)  # fmt: skip
def test_how_a_stage_is_run_does_not_change_its_digest(define: Define, added: str):
    before = define(STAGE).stage("a").digest
    assert define(STAGE.replace('after = "first"', f'after = "first"\n{added}')).stage("a").digest == before


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


def digest_of(folder: Path, code: str) -> str:
    (folder / "own.py").write_text(code)
    (folder / "penstock.toml").write_text(
        '[campaign]\nname = "x"\nlevels = ["file"]\n[units]\nfiles = "{file}.wav"\n'
        '[stage.a]\neach = "file"\npython = "own:process"\n'
    )
    return load(folder).stage("a").digest


@pytest.mark.parametrize(
    ("old", "new"), [("x * FACTOR", "x + FACTOR"), ("FACTOR = 2", "FACTOR = 3"), ('"size"', '"name"')]
)
def test_an_own_function_counts_by_its_syntax_and_that_of_its_helpers(tmp_path: Path, old: str, new: str):
    before = digest_of(tmp_path, FUNCTION)
    assert digest_of(tmp_path, FUNCTION.replace(old, new)) != before


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# twice", ""),
        ("Do it.", "Do it well."),
        ("UNUSED = 1", "UNUSED = 2"),
        ("import json", "import json, os\n\n"),
    ],
)
def test_comments_docstrings_and_the_rest_of_the_module_do_not_count(tmp_path: Path, old: str, new: str):
    before = digest_of(tmp_path, FUNCTION)
    assert digest_of(tmp_path, FUNCTION.replace(old, new)) == before


def test_the_decorator_that_makes_a_stage_does_not_count(tmp_path: Path):
    before = digest_of(tmp_path, FUNCTION)
    assert (
        digest_of(
            tmp_path, FUNCTION.replace("def process", "@campaign.stage(each='file', batch=3)\ndef process")
        )
        == before
    )


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
