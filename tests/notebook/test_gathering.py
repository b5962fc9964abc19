"""Functions of cells as modules: what goes along, what the digest follows, what is refused."""

import ast
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
from tests.notebook.kernel import Notebook


def gathered(cells: Notebook, *typed: str, of: str = "f") -> dict[str, Any]:
    """Run cells, and return the module of the function `of`: its name, its text, and the names of its files."""
    for one in typed:
        shown = cells.run(one)
        assert not shown.error, shown.error
    told = cells.run(
        f"import json as _j; m = gather({of}); print(_j.dumps([m.name, m.text, sorted(m.files)]))"
    )
    if told.error:
        raise AssertionError(told.error)
    name, text, files = json.loads(told.printed)
    return {"name": name, "text": text, "files": files}


def value_of(text: str, call: str, folder: Path) -> str:
    """Run a module's text in a Python of its own, and return what a call gives there."""
    file = folder / "gathered.py"
    file.write_text(f"{text}\nprint({call})\n")
    return subprocess.run(
        [sys.executable, "-I", file], capture_output=True, text=True, check=True
    ).stdout.strip()


def refusal(cells: Notebook, *typed: str) -> str:
    for one in typed:
        cells.run(one)
    return cells.run("gather(f)").error


def test_a_function_goes_with_all_that_it_uses(cells: Notebook, tmp_path: Path) -> None:
    module = gathered(
        cells,
        "import math\nfrom os.path import join as glue\nimport xml.dom\nimport xml.dom.minidom",
        "SCALE = 3\nNAMES = {'a': (1, 2.5), 'b': [None, True]}\nhalf = lambda x: x / 2",
        """
        from dataclasses import dataclass
        from functools import wraps

        def twice(function):
            @wraps(function)
            def wrapper(x):
                return 2 * function(x)
            return wrapper

        class Base:
            scale = SCALE

        @dataclass
        class Pair(Base):
            first: float
            second: float = 1.0
        """,
        """
        @twice
        def helper(x):
            "A docstring."
            return half(x) * Pair(x).scale + len(NAMES["b"])

        def f(x, y=SCALE) -> "unknown":
            found = xml.dom.minidom.parseString("<a/>").documentElement.tagName
            return helper(x), y, glue("a", found), math.floor(2.5)
        """,
    )
    assert value_of(module["text"], "f(4)", tmp_path) == "(16.0, 3, 'a/a', 2)"


def test_what_is_not_used_stays(cells: Notebook) -> None:
    module = gathered(
        cells, "import tarfile\nsecret = 'hunter2'\ndef other(): return tarfile, secret", "def f(x): return x"
    )
    assert "tarfile" not in module["text"]
    assert "hunter2" not in module["text"]


def test_arrays_are_files_beside_it(cells: Notebook) -> None:
    module = gathered(
        cells,
        "import numpy as np\nweights = np.arange(3.)\none = np.float32(0.5)",
        "def f(x): return weights * one",
    )
    (file,) = module["files"]
    assert file.startswith("weights_")
    assert file in module["text"]
    changed = gathered(cells, "weights[0] = 7")
    assert changed["name"] != module["name"]


def test_what_a_person_could_have_typed_is_written_down(cells: Notebook, tmp_path: Path) -> None:
    module = gathered(
        cells,
        "import logging, re\nfrom collections import namedtuple\nimport numpy as np",
        "Point = namedtuple('Point', 'x y')\npattern = re.compile(r'a(\\d)', re.I)\nlog = logging.getLogger('lab.run')",
        "tables = {'w': [np.arange(3), np.ones(2)], 'n': 1}\ntwice: object = lambda x: 2 * x",
        "def f(): return Point(1, 2).y, pattern.match('A7')[1], log.name, twice(tables['w'][0].sum() + tables['n'])",
    )
    for file in module["files"]:
        cells.run(
            f"from pathlib import Path\nPath({str(tmp_path)!r}, {file!r}).write_bytes(m.files[{file!r}])"
        )
    assert value_of(module["text"], "f()", tmp_path) == "(2, '7', 'lab.run', np.int64(8))"


SAME = {
    "a comment": "def f(x):\n    # much\n    return g(x)",
    "blank lines": "def f(x):\n\n\n    return g(x)",
    "a docstring": "def f(x):\n    'It does.'\n    return g(x)",
    "an annotation of what is not there": "def f(x):\n    return g( x )",
}
OTHER = {
    "a helper": "def g(x): return x + 2",
    "a constant": "N = 4",
    "an import": "from math import cos as root",
    "a default": "def f(x, y=2): return g(x)",
    "the function": "def f(x): return g(x) + 1",
}
BEFORE = ("from math import sqrt as root\nN = 3", "def g(x): return root(x) + N", "def f(x): return g(x)")


@pytest.mark.parametrize("change", SAME)
def test_the_name_stays_where_the_meaning_does(cells: Notebook, change: str) -> None:
    first = gathered(cells, *BEFORE)
    assert gathered(cells, "'a cell above'", SAME[change])["name"] == first["name"]


@pytest.mark.parametrize("change", OTHER)
def test_the_name_follows_the_meaning(cells: Notebook, change: str) -> None:
    first = gathered(cells, *BEFORE)
    assert gathered(cells, OTHER[change])["name"] != first["name"]


def test_another_kernel_gives_the_same_module(cells: Notebook, notebook: Notebook) -> None:
    notebook.run("from penstock.notebook.gathering import gather\nkinds = {'b', 'a', 'c'}")
    first = gathered(cells, "kinds = {'c', 'a', 'b'}", *BEFORE, "def f(x): return g(x) in kinds")
    assert gathered(notebook, *BEFORE, "def f(x): return g(x) in kinds") == first


REFUSED = {
    "an open file": ("handle = open('/dev/null')", "handle", "open it in the function"),
    "an open file of HDF5": (
        "import h5py\nhandle = h5py.File('a.h5', 'w')",
        "handle",
        "open it in the function",
    ),
    "a cursor": (
        "import sqlite3\nhandle = sqlite3.connect(':memory:').cursor()",
        "handle",
        "open it in the function",
    ),
    "an open file in a dict": (
        "handle = {'log': open('/dev/null')}",
        "handle",
        "has in it an open _io.TextIOWrapper",
    ),
    "one of several functions": (
        "one, handle = (lambda x: x), (lambda x: 2 * x)",
        "handle",
        "make it with `def`",
    ),
    "functions in a dict": ("def one(x): return x\nhandle = {'one': one}", "handle", "has in it a function"),
    "a lock": ("import threading\nhandle = threading.Lock()", "handle", "open it in the function"),
    "a connection": (
        "import sqlite3\nhandle = sqlite3.connect(':memory:')",
        "handle",
        "open it in the function",
    ),
    "an object": ("handle = object()", "handle", "make it in the function"),
    "a long text": ("handle = 'x' * 200_000", "handle", "100,000 are the most"),
    "a large array": ("import numpy as np\nhandle = np.zeros(3_000_000)", "handle", "are the most"),
    "an array of objects": ("import numpy as np\nhandle = np.array([object()])", "handle", "give it a dtype"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_travel_is_refused_by_its_name(cells: Notebook, kind: str) -> None:
    typed, name, remedy = REFUSED[kind]
    said = refusal(cells, typed, "def f(x): return handle")
    assert said.startswith(f"DefinitionError: the function 'f' uses {name!r}, which ")
    assert remedy in said


@pytest.mark.parametrize("name", ["display", "get_ipython"])
def test_what_only_a_notebook_has(cells: Notebook, name: str) -> None:
    assert f"uses {name!r} in 'f', which only a notebook has; leave it out" in refusal(
        cells, f"def f(x): return {name}(x)"
    )


def test_a_name_that_is_not_there_yet(cells: Notebook) -> None:
    assert "'later' in 'f', which is not defined" in refusal(cells, "def f(x): return later(x)")


def test_a_function_in_a_function(cells: Notebook) -> None:
    said = refusal(cells, "def make(n):\n    def f(x): return x + n\n    return f\nf = make(3)")
    assert "uses 'n' of the function around" in said


def test_a_default_of_an_earlier_value(cells: Notebook) -> None:
    said = refusal(cells, "N = 3", "def f(x, n=N): return x + n", "N = 4")
    assert "default n=N is of an earlier N; run its cell again" in said


def test_texts_in_a_function_under_an_if_stay_as_they_are(cells: Notebook, tmp_path: Path) -> None:
    typed = """
    if True:
        def f():
            return '''
        two
    '''
    """
    text = gathered(cells, textwrap.dedent(typed))["text"]
    assert value_of(text, "repr(f())", tmp_path) == repr("\n    two\n")
    ast.parse(text)


def test_the_lines_of_a_module_are_known_in_their_cells(cells: Notebook) -> None:
    cells.run("from penstock.notebook import tracebacks")
    second = "# a\n# b\n\ndef f(x):\n    y = 1\n    return g(x)"
    module = gathered(cells, "# first\nN = 1\ndef g(x):\n    return x / 0 + N", second)
    line = 1 + module["text"].splitlines().index("    return g(x)")
    cells.run("tracebacks.remember(m)")
    cells.run(f"frame = 'File \"/there/penstock_cells/{module['name']}.py\", line {line}, in f'")
    shown = cells.run("print(tracebacks.with_cells(frame))").printed
    assert ", line 6), in f" in shown
    assert "(cell In[" in shown
