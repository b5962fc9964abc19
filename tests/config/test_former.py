"""The digests of earlier versions of penstock are still known, whichever Python wrote them."""

import ast
import sys
from pathlib import Path

import pytest

from penstock.config import load
from penstock.config.former import dump, former_digests

CODE = '''\
"""The lab's own."""
import math
GAIN: float = 2.0
class Model:
    """A model."""
    order: int = 3
    def fit(self, *values, **more) -> "float | None":
        return None if not values else math.fsum(values) * GAIN
def fit(task):
    """Fit."""
    x = [*task.fields, {**task.params, "a": f"{GAIN!r:>10}"}]
    return Model().fit(*[1, 2], key=x and (lambda y, /, *, z=None: y))
'''
FILES = {
    "penstock.toml": """\
[campaign]
name = "winter"
levels = ["night"]
[units]
table = "nights.csv"
[stage.fit]
each = "night"
python = "lab:fit"
setup = "kit.start:start"
params = { gain = 2 }
products = "fit/{night}"
[stage.show]
each = "night"
after = "fit"
command = ["sh", "show.sh", "{night}", "{inputs.fit}"]
scratch = true
templates = { "show.cfg" = "show.cfg" }
""",
    "lab.py": CODE,
    "kit/start.py": "def start(): pass\n",
    "nights.csv": "night,moon\n1,new\n",
    "show.cfg": "{night}\n",
}
# what the version before, under Python 3.11, gave for these files
FIT = "ed19baf8a9ab2b2de75c54ff7f425ed2f9574c8e75429f9479ed1a0b14ea60b1"
SHOW = "69d075ac12147e92d67635713fd6fa81aa0571409c6bb9d3a10631c4aee7eb62"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kit").mkdir()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_digests_are_those_that_were_given(folder: Path):
    fit, show = load(folder).stages
    assert FIT in former_digests(fit, folder)
    assert former_digests(show, folder) == {SHOW}


def test_another_definition_has_other_digests(folder: Path):
    (folder / "lab.py").write_text(CODE.replace("GAIN: float = 2.0", "GAIN: float = 3.0"))
    fit, _ = load(folder, ["stage.show.scratch=true"]).stages
    assert FIT not in former_digests(fit, folder)


def test_syntax_is_written_as_this_python_writes_it():
    tree = ast.parse(CODE)
    assert dump(tree, min(sys.version_info.minor, 13)) == ast.dump(tree)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        (11, "FunctionDef(name='f', args=arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]),"
             " body=[Pass()], decorator_list=[])"),
        (12, "FunctionDef(name='f', args=arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[]),"
             " body=[Pass()], decorator_list=[], type_params=[])"),
        (13, "FunctionDef(name='f', args=arguments(), body=[Pass()])"),
    ],
)  # fmt: skip
def test_syntax_is_written_as_each_python_wrote_it(version: int, text: str):
    assert dump(ast.parse("def f(): pass").body[0], version) == text
