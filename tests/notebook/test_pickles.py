"""Values that were asked to go as pickles, in a real kernel: read by this campaign's tasks alone, by the same Python."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.notebook.kernel import Notebook
from tests.notebook.test_running import SETUP

from penstock.extras import how_to_install

MODEL = """
import penstock
from numpy.polynomial import Polynomial

class Scale:
    def __init__(self, by):
        self.by = by

    def __call__(self, x):
        return x * self.by

class Model:
    def __init__(self):
        self.scale = Scale(3)
        self.fitted = Polynomial.fit([0.0, 1.0, 2.0], [1.0, 3.0, 5.0], 1)
        self.offset = lambda x: x + 0.5

    def predict(self, x):
        return self.offset(self.scale(float(self.fitted(x))))

model = Model()
"""
PREDICT = """
@campaign.stage(each="file", pickled=["model"])
def predict(task):
    return model.predict(float(Path(task.fields["path"]).read_text()))
"""
POINT = "class Point:\n    def __init__(self, x): self.x = x\nhandle = Point({1, 2})"
READS = "def f(): return handle.x"
PICKLED = "gather(f, ['handle'])"


def test_a_model_with_classes_of_cells_goes_along_where_that_is_asked_for(notebook: Notebook) -> None:
    notebook.run(SETUP)
    notebook.run(MODEL)
    notebook.run(PREDICT.replace(', pickled=["model"]', ""))
    refused = notebook.run("campaign.run()").error
    assert "uses 'model', which is a __main__.Model" in refused
    assert "or let it go as a pickle with `pickled=['model']`" in refused
    notebook.run(PREDICT.replace('["model"]', '["model", "modle"]'))
    refused = notebook.run("campaign.run()").error
    assert "`pickled` has 'modle', which 'predict' does not use" in refused
    notebook.run(PREDICT)
    shown = notebook.run("campaign.run().code")
    assert (shown.value, shown.error) == ("0", "")
    assert notebook.run("round(campaign.results('predict')['5'], 6)").value == "33.5"


def test_its_classes_are_text_and_the_name_of_the_module_outlives_the_kernel(
    cells: Notebook, notebook: Notebook
) -> None:
    notebook.run("from penstock.notebook.gathering import gather")
    names = set[str]()
    for kernel in (cells, notebook):
        kernel.run(POINT)
        kernel.run(READS)
        names.add(kernel.run(f"m = {PICKLED}; m.name").value)
    assert len(names) == 1
    assert "class Point" in cells.run("print(m.text)").printed


def test_only_the_pickle_that_was_written_is_read_and_by_this_python(cells: Notebook, tmp_path: Path) -> None:
    cells.run(POINT)
    cells.run(READS)
    cells.run(f"from pathlib import Path; m = {PICKLED}; m.save(Path({str(tmp_path)!r}))")
    name = cells.run("m.name").value.strip("'")
    code = f"from penstock_cells.{name} import f; print(sorted(f()))"
    assert said_by(code, tmp_path) == "[1, 2]\n"
    with_other = f"import sys; sys.version_info = (3, 9, 18); {code}"
    assert "is for Python 3.11 and this is 3.9" in said_by(with_other, tmp_path).replace(
        "{}.{}".format(*sys.version_info), "3.11"
    )
    (file,) = (tmp_path / "penstock_cells").glob("handle_*.pickle")
    written = file.read_bytes()
    file.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    assert "is not what the notebook wrote; run its cell again" in said_by(code, tmp_path)
    assert not (tmp_path / "owned").exists()
    cells.run(f"m.save(Path({str(tmp_path)!r}))")
    assert file.read_bytes() == written


def said_by(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


REFUSED = {
    "an open file": ("handle = [open('/dev/null')]", "is an open _io.TextIOWrapper"),
    "a lock": ("import threading\nhandle = [threading.Lock()]", "cannot be pickled (TypeError"),
    "an earlier class": (f"{POINT}\nclass Point: x = 3", "is made of an earlier 'Point'; run the cell that makes it again"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_pickled_is_refused_by_its_name(cells: Notebook, kind: str) -> None:
    typed, why = REFUSED[kind]
    cells.run(typed)
    cells.run("def f(): return handle")
    said = cells.run(PICKLED).error
    assert said.startswith("DefinitionError: the function 'f' uses 'handle', which ")
    assert why in said


def test_without_cloudpickle_it_says_what_to_install(cells: Notebook) -> None:
    cells.run(f"import sys\nsys.modules['cloudpickle'] = None\n{POINT}")
    cells.run(READS)
    said = cells.run(PICKLED).error
    cells.run("del sys.modules['cloudpickle']")
    assert f"cloudpickle is not installed: {how_to_install('penstock', 'notebook')}" in said
