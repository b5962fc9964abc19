"""Each mistake is one sentence with its file and line, and the nearest right name."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from penstock.campaign import Campaign
from penstock.config import load
from penstock.errors import DefinitionError

Define = Callable[..., Campaign]

A = '[stage.a]\neach = "file"\ncommand = ["true"]\n'  # lines 7 to 9, after the head
NAMED = '{ x = "a/{file}_{run}_{night}" }'
B = '[stage.b]\neach = "file"\ncommand = ["true"]\n'
FILES = '[campaign]\nname = "x"\nlevels = ["a"]\n[units]\nfiles = "{a}.wav"\n'

CASES = [
    # stage text, line, what is said
    ('[stage.a]\neach = "file"\ncomand = ["true"]\n', 9, "[stage.a] has no key 'comand'; did you mean 'command'?"),
    ('[stage.a]\neach = "file"\ncommand = ["true"]\nwith_ = "b"\n', 10, "did you mean 'with'?"),
    ('[stage.a]\neach = "file"\ncommand = ["true"]\nresources = { memry = "1GB" }\n', 10, "did you mean 'memory'?"),
    ('[stage.a]\neach = "file"\ncommand = ["true"]\n[stage.a.resources]\nwalltme = 3\n', 11, "did you mean 'walltime'?"),
    ('[stage.a]\neach = "fil"\ncommand = ["true"]\n', 8, "there is no level 'fil'; did you mean 'file'?"),
    ('[stage.a]\ncommand = ["true"]\n', 7, "[stage.a] lacks the key 'each'"),
    ('[stage.a]\neach = "file"\n', 8, "has nothing to do; add `command` or `python`"),
    (A + 'python = "x:y"\n', 10, "both `command` and `python`"),
    (A + "workers = 0\n", 10, "stage.a.workers is 0"),
    (A + 'scratch = "tmp"\n', 10, "is no place for scratch"),
    (A + 'workers = "four"\n', 10, "stage.a.workers is 'four'; it must be a whole number"),
    (A + "shell = 1\n", 10, "must be true or false"),
    (A + "version = 2\n", 10, "stage.a.version is 2; it must be text"),
    (A + 'members = "some"\n', 10, "must be one of 'all' or 'done'"),
    (A + 'batch = "20 parsecs"\n', 10, "stage.a.batch: '20 parsecs' is not a duration"),
    (A + "batch = 0\n", 10, "0 is not a batch"),
    (A + 'resources = { memory = "2 big" }\n', 10, "'2 big' is not a size; write bytes or text"),
    (A + "rules = [{ why = 'x', verdict = 'veto' }]\n", 10, "a rule needs `where`, `exit` or `log`"),
    (A + "rules = [{ where = 'kind == 3', verdict = 'veto' }]\n", 10, "names 'kind', which is not a level or field"),
    (A + "rules = [{ where = 'file =', verdict = 'veto' }]\n", 10, "the expression 'file =' cannot be read"),
    (A + "rules = [{ exit = 1, name = 'x', verdict = 'veto' }, { exit = 2, name = 'x', verdict = 'mark' }]\n", 10,
     "has 2 rules named 'x'"),
    (A + "products = 'b/{file}'\nrules = [{ exit = 1, verdict = 'mark' }]\n" + B + 'after = "a"\n', 11,
     "'b' would miss their product 'product'; make it optional"),
    (A + "rules = [{ log = '(', verdict = 'veto' }]\n", 10, "is not a regular expression"),
    (A + "retry = { eror = 3 }\n", 10, "must be one of 'error'"),
    ('[stage.a]\neach = "file"\npython = "module.function"\n', 9, "a Python function written as package.module:function"),
    ('[stage.a]\neach = "file"\ncommand = "cp {path} b"\n', 9, "is one text; write a list (one item for each argument)"),
    (A + 'needs = ["tables"]\n', 10, "has no such file; correct its `needs`"),
    (A + 'needs = ["../tables"]\n', 10, "is not below the campaign's folder"),
    (A + 'after = "b"\n', 10, "there is no stage 'b'"),
    (A + 'after = ["a"]\n', 10, "'a' waits for itself"),
    (A + B + 'after = ["a", "a"]\n', 13, "names 'a' twice"),
    (A + B + 'after = [{ stage = "a", products = ["dump"] }]\n', 13, "names the product 'dump' of 'a'"),
    (A + B + 'after = [{ stage = "a", key = ["{run}"] }]\n', 13, "has 1 parts"),
    (A + 'after = "c"\n' + B + 'after = "a"\n[stage.c]\neach = "file"\ncommand = ["true"]\nafter = "b"\n',
     10, "wait for each other: a after c after b after a"),
    (A + '[stage.b]\neach = "run"\nwith = "a"\ncommand = ["true"]\n', 12, "is not at the level of 'a'"),
    (A + B + '[stage.c]\neach = "file"\nwith = "a"\nafter = ["a", "b"]\ncommand = ["true"]\n',
     16, "cannot wait for others"),
    (A + 'where = "kind == 3"\n', 10, "names 'kind', which is not a level or field"),
    (A + 'order = "kind"\n', 10, "names 'kind', which is not a level or field"),
    (A + 'order = "newest first"\n', 10, "the expression 'newest first' cannot be read"),
    (A + 'fair = "nigth"\n', 10, "`fair` of 'a' names 'nigth', no level above it; did you mean 'night'?"),
    (A + 'array = "nigth"\n', 10, "`array` of 'a' names 'nigth', no level above it; did you mean 'night'?"),
    (A + 'fair = "file"\n', 10, "`fair` of 'a' names 'file', no level above it"),
    (A + "max_running = 0\n", 10, "stage.a.max_running is 0"),
    (A + B + 'with = "a"\npriority = 3\n', 14, "'b' runs right after each 'a', in its order; remove `priority`"),
    (A + 'where = "run ** 2 == 4"\n', 10, "uses the operator Pow"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{file}"]\n', 9, "'file' belongs to each file; 'a' runs for each run"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{path}"]\n', 9, "'path' belongs to each file"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{nigth}"]\n', 9, "did you mean 'night'?"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{night"]\n', 9, "has a single '{'"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{param.window}"]\n', 9, "names the parameter 'param.window'"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{param.a}"]\nparams = { a = [1] }\n', 9, "{param.a} is a list or table"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{param.a.b}"]\nparams = { a = { b = 1 } }\n', 9, "the parameter 'param.a.b'"),
    ('[stage.a]\neach = "run"\ncommand = ["cat"]\nproducts = "{run}/{param.a}"\n', 10, "names the parameter 'param.a'"),
    ('[stage.a]\neach = "run"\ncommand = ["a"]\nproducts = "x/{param.a}"\nparams = { a = 1 }\n', 10, "the same product"),
    ('[stage.a]\neach = "run"\ncommand = ["cat"]\nproducts = "{run}/{inputs.b}"\n', 10, "cannot stand in '{run}/{inputs.b}'"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{product}"]\n', 9, "has no `products`"),
    ('[stage.a]\neach = "run"\ncommand = ["cat", "{product.psd}"]\nproducts = "x/{run}"\n', 9, "did you mean 'product.product'?"),
    (A + '[stage.b]\neach = "file"\ncommand = ["cat", "{inputs.a}"]\n', 12, "a stage that 'b' is not after"),
    (A + '[stage.b]\neach = "file"\ncommand = ["cat", "{inputs.a}"]\nafter = "a"\n', 12, "'a' has no products"),
    (A + '[stage.b]\neach = "file"\ncommand = ["cat", "{imputs.a}"]\nafter = "a"\n', 12, "did you mean 'inputs'?"),
    (A + 'products = "a/{file}_{run}_{night}"\n[stage.b]\neach = "run"\ncommand = ["cat", "--in={inputs.a}"]\nafter = "a"\n',
     13, "must be a whole argument, not part of '--in={inputs.a}'; or use {inputs_file.a}"),
    (A + 'products = "a/{file}_{run}_{night}"\n[stage.b]\neach = "run"\nshell = true\ncommand = "cat {inputs.a}"\nafter = "a"\n',
     14, "cannot stand in shell text; use {inputs_file.a}"),
    ('[stage.a]\neach = "file"\nshell = true\ncommand = "cat \'{path}\'"\n', 10, "stands inside ' quotes"),
    (A + f'products = {NAMED}\n' + '[stage.b]\neach = "file"\ncommand = ["cat", "{inputs.a.y}"]\nafter = "a"\n',
     13, "{inputs.a.y} is not an input; did you mean 'inputs.a.x'?"),
    (A + f'products = {NAMED}\n' + '[stage.b]\neach = "file"\ncommand = ["cat", "{inputs_file.a.x}"]\nafter = "a"\n',
     13, "did you mean 'inputs_file.a'?"),
    (A + B + 'after = [{ stage = "a", key = ["{run}", "{run}", "{file}"] }]\n', 13, "for the level 'night'"),
    ('[stage.a]\neach = "file"\nshell = true\ncommand = """\ncat <<EOF\n{path}\nEOF\n"""\n', 10, "inside a here-document"),
    ('[stage.a]\neach = "file"\nshell = true\ncommand = \'cat "x$(ls {path})"\'\n', 10, 'stands inside " quotes'),
    (A + 'products = "/tmp/{file}"\n', 10, "is outside the campaign"),
    (A + 'products = "../{file}"\n', 10, "is outside the campaign"),
    (A + 'products = "a/../../{file}"\n', 10, "is outside the campaign"),
    (A + 'products = "~/{file}"\n', 10, "is outside the campaign"),
    (A + 'products = "a/.penstock/{file}"\n', 10, "penstock's own folder"),
    (A + 'products = "a/{fan}"\n', 10, "every file of 'a' would write the same product"),
    (A + 'products = "a/{fan:02d}/{file}"\n', 10, "it is always two digits; write {fan}"),
    ('[stage.a]\neach = "file"\ncommand = ["cat", "{fan}"]\n', 9, "in paths of products only"),
    ('[units.run]\nfiles = "b/{night}/{run:05d}/{fan}.cfg"\n', 5, "'fan' means something else in paths of products"),
    (A + 'products = "same.txt"\n', 10, "every file of 'a' would write the same product"),
    (A + 'products = "{night}{run}"\n', 10, "nothing between"),
    (A + 'products = { x = "a/{file}_{run}", y = "b/{file}" }\noptional = ["z"]\n', 11, "`optional` names 'z'"),
    (A + 'products = "a/{file}_{run}_{night}"\n' + B + 'products = "a/{file}_{run}_{night}"\n',
     14, "are the same file"),
    (A + 'site = "locl"\n', 10, "did you mean 'local'?"),
    (A + 'setup = "a:b"\n', 10, "`setup` of 'a' goes with `python`"),
    (A + 'templates = { "in.txt" = "t.txt" }\n', 10, "need `scratch = true`"),
    (A + "copy_inputs = true\n", 10, "`copy_inputs` of 'a' needs `scratch`"),
    ('[stage.a]\neach = "night"\npython = "a:b"\nexpands = "file"\n', 10, "only the level right below its own ('run')"),
    ('[stage.a]\neach = "file"\npython = "a:b"\nexpands = "file"\n', 10, "as it is at the finest"),
    ('[stage.a]\neach = "night"\npython = "a:b"\nexpands = "rum"\n', 10, "did you mean 'run'?"),
    ('[stage."a b"]\neach = "night"\npython = "a:b"\n', 7, "it must be a name of letters"),
    ("[stge.a]\n", 7, "the definition has no key 'stge'; did you mean 'stage'?"),
    ('[units.file]\ntable = "x.csv"\n', 8, "the level 'file' has two sources; join them"),
    ('[stage.a]\neach = "run"\npython = "a:b"\nexpands = "file"\n', 10, "the level 'file' has a source already"),
    ('[units.rum]\ntable = "x.csv"\n', 7, "did you mean 'run'?"),
    ('[units.run]\nsettle = "3s"\n', 7, "has no source"),
    ('[units.run]\ntable = "x.csv"\nsettle = "3s"\n', 9, "'settle' goes with `files` only"),
    ('[units.run]\ntable = "x.csv"\nfiles = "{run}"\n', 8, "has files and table; choose one"),
    ('[units.run]\nfiles = "b/{run:05d}.cfg"\n', 8, "do not name the level 'night'"),
    ('[units.run]\nfiles = "b/{night}/{run:05d}.cfg"\n', 5, "the level 'night' is"),
    ('[site.far]\nmax_job = 3\n', 8, "did you mean 'max_jobs'?"),
    ('[site.far]\nscheduler = "slurm"\nqueue = "a\\nid"\n', 9, r"'a\nid' must be one line"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "said"), CASES, ids=[said[:50] for _, _, said in CASES])
def test_a_mistake_is_one_sentence_at_its_line(
    define: Define, tmp_path: Path, text: str, line: int, said: str
):
    with pytest.raises(DefinitionError, match=re.escape(said)) as caught:
        define(text)
    assert (caught.value.file, caught.value.line) == (tmp_path / "penstock.toml", line)
    assert "\n" not in str(caught.value)


HEADS = [
    ('[campaign]\nname = "x"\nlevels = ["a", "a"]\n', 3, "the level 'a' is named twice"),
    ('[campaign]\nname = "x"\nlevels = ["campaign"]\n', 3, "'campaign' means something else in placeholders"),
    ('[campaign]\nname = "x"\nlevels = ["a", "size"]\n', 3, "'size' means something else"),
    ('[campaign]\nname = "x"\nlevels = ["a"]\n[units]\nfiles = "{a}_{path}.wav"\n', 5, "has a field 'path'"),
    ('[campaign]\nname = "x"\nlevels = []\n', 3, "campaign.levels is []"),
    ('[campaign]\nname = "a b"\nlevels = ["a"]\n', 2, "a name of letters, digits, dots, dashes"),
    ('[campaign]\nlevels = ["a"]\n', 1, "[campaign] lacks the key 'name'"),
    ("", None, "the definition lacks the key 'campaign'"),
    ('[campaign]\nname = "x"\nlevels = ["a"]\n[units]\nfiles = "{b}.wav"\n', 5, "name none of the levels a"),
    ('[campaign]\nname = "x"\nlevels = ["a"]\n[units]\nfiles = "*.wav"\n', 5, "has a *; name each varying part"),
    (FILES + 'many = "b"\n', 6, "`many` names 'b'"),
    (FILES + 'many = "a"\n', 6, "is a level and cannot be in `many`"),
    (FILES + 'setle = 3\n', 6, "did you mean 'settle'?"),
    (FILES + 'derive = { b = "c" }\n', 6, "names 'c', which is unknown"),
    (FILES + 'companions = "{b}.xml"\n', 6, "names 'b', which is unknown"),
    (FILES + 'complete = { a = "soon" }\n', 6, "'soon' is not a condition"),
    (FILES + 'complete = { a = "quiet 3x" }\n', 6, "'quiet 3x' is not a condition"),
    (FILES + 'complete = { c = "quiet 3s" }\n', 6, "there is no level 'c'"),
    ('[campaign]\nname = "x"\nlevels = ["a"]\n[stage.s]\neach = "a"\ncommand = ["true"]\n', 5, "gives units at the level 'a'"),
    (FILES + 'types = { a = "int" }\n', 6, "the type of 'a' is set by the pattern; write it there, as in {a:d}"),
    (FILES + 'complete = { a = "count sise" }\n', 6, "names 'sise', which is not a level or field there; did you mean 'size'"),
    (FILES + 'complete = { a = "count 2 of b" }\n', 6, "counts 'b', which is no `many` field of its files"),
    (FILES + 'complete = { a = "file {b}.done" }\n', 6, "names 'b', which is not a level or field there"),
    (FILES + 'complete = { campaign = "not_before 08:00" }\n', 6, "needs a date, and 'campaign' is not one"),
    (FILES.replace("{a}", "{a:d}") + 'complete = { a = "not_before 08:00" }\n', 6, "needs a date, and 'a' is not one"),
    ('[campaign]\nname = "x"\nlevels = ["a"\n[units]\n', 4, "this is not TOML"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "said"), HEADS, ids=[said[:50] for _, _, said in HEADS])
def test_a_mistake_in_the_campaign_is_one_sentence_at_its_line(
    define: Define, text: str, line: int | None, said: str
):
    with pytest.raises(DefinitionError, match=re.escape(said)) as caught:
        define("", head=text)
    assert caught.value.line == line


def test_a_definition_that_is_not_utf8_says_so(tmp_path: Path):
    (tmp_path / "penstock.toml").write_bytes(b'[campaign]\nname = "\xff"\n')
    with pytest.raises(DefinitionError, match="not UTF-8"):
        load(tmp_path)


def test_a_table_column_that_is_not_there_is_told_with_the_nearest_one(define: Define, tmp_path: Path):
    (tmp_path / "runs.csv").write_text("night,run,knid\n")
    with pytest.raises(DefinitionError, match=r"runs\.csv has no column 'kind'; did you mean 'knid'"):
        define('[units.run]\ntable = "runs.csv"\ntypes = { kind = "str" }\n')


def test_fields_of_a_table_are_known_by_its_header(define: Define, tmp_path: Path):
    (tmp_path / "runs.csv").write_text("night,run,kind\n")
    head = '[units.run]\ntable = "runs.csv"\n[stage.a]\neach = "file"\ncommand = ["true"]\n'
    assert define(head + "where = \"kind == 'DATA'\"\n").stages
    with pytest.raises(DefinitionError, match="did you mean 'kind'"):
        define(head + "where = \"kid == 'DATA'\"\n")
