"""A notebook or a script run from the shell: up to its campaign, then that."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock import record

CELLS = (
    "import penstock\nfrom pathlib import Path\nPath('in').mkdir(exist_ok=True)",
    "with open('in/a.txt', 'a') as file:\n    file.write('' if file.tell() else 'abc')",
    "campaign = penstock.Campaign('x', levels=['file'], units=penstock.files('in/{file}.txt', settle='0s'))",
    "@campaign.stage(each='file')\ndef length(task):\n    return len(Path(task.fields['path']).read_text())",
    "campaign.run()",
    "raise SystemExit('what comes after it is not for the shell')",
)


def write_notebook(file: Path, *cells: str) -> Path:
    said = [{"cell_type": "markdown", "source": ["# Words\n"]}]
    said += [{"cell_type": "code", "source": cell.splitlines(keepends=True)} for cell in cells]
    file.write_text(json.dumps({"cells": said, "nbformat": 4}), encoding="utf-8")
    return file


def run(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "penstock", "run", str(file), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")


def test_a_notebook_and_a_script_are_the_same_campaign(tmp_path: Path) -> None:
    done = run(write_notebook(tmp_path / "analysis.ipynb", *CELLS))
    assert (done.returncode, done.stderr) == (0, "")
    script = tmp_path / "analysis.py"
    script.write_text("\n\n".join(CELLS))
    again = run(script)
    assert (again.returncode, again.stdout) == (0, "all done: 1 task\n")
    script.write_text("\n\n".join([*CELLS[:-1], "print(__file__)"]))  # by Python alone, too
    alone = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (alone.returncode, alone.stdout, alone.stderr) == (0, f"{script}\n", "")
    assert len(list((tmp_path / "penstock_cells").glob("*.py"))) == 1
    with record.open(tmp_path) as opened:
        assert [(row.unit, row.value) for row in opened.results("length")] == [("a", 3)]
        assert [event.what for event in opened.history("a")].count("ok") == 1


MARIMO = """
import marimo

app = marimo.App()

@app.cell
def _():
    from pathlib import Path
    import penstock

    with open("a.txt", "a") as file:
        file.write("" if file.tell() else "abc")
    campaign = penstock.Campaign("x", levels=["file"], units=penstock.files("{file}.txt", settle="0s"))
    return Path, campaign

@app.cell
def _():
    class Power:
        by = 2

    def power(number):
        return number**Power.by
    return (power,)

@app.cell
def _(Path, campaign, power):
    @campaign.stage(each="file")
    def length(task):
        return power(len(Path(task.fields["path"]).read_text()))
    return (length,)

@app.cell
def _(campaign, length):
    campaign.run()
    return

if __name__ == "__main__":
    app.run()
"""


def test_a_notebook_of_marimo_is_a_script(tmp_path: Path) -> None:
    pytest.importorskip("marimo", reason="marimo is not installed: pip install marimo")
    (tmp_path / "nb.py").write_text(MARIMO)
    alone = subprocess.run(
        [sys.executable, "nb.py"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert (alone.returncode, alone.stderr) == (0, "")
    again = run(tmp_path / "nb.py")
    assert (again.returncode, again.stdout) == (0, "all done: 1 task\n")
    with record.open(tmp_path) as opened:
        assert [(row.unit, row.value) for row in opened.results("length")] == [("a", 9)]
        assert [event.what for event in opened.history("a")].count("ok") == 1


def test_units_after_the_notebook_are_those_to_run(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/b.txt").touch()
    run(write_notebook(tmp_path / "analysis.ipynb", *CELLS), "b")
    with record.open(tmp_path) as opened:
        assert [row.unit for row in opened.results("length")] == ["b"]


def test_a_cell_that_fails_is_named(tmp_path: Path) -> None:
    done = run(write_notebook(tmp_path / "analysis.ipynb", CELLS[0], "1 / 0"))
    assert done.returncode == 2
    assert "penstock: cell 2 of analysis.ipynb fails: ZeroDivisionError: division by zero" in done.stderr
    assert 'File "cell 2 of analysis.ipynb", line 1' in done.stderr


def test_what_is_no_campaign_is_said(tmp_path: Path) -> None:
    assert "no campaign runs in" in run(write_notebook(tmp_path / "a.ipynb", CELLS[0])).stderr
    (tmp_path / "b.ipynb").write_text("{}")
    assert "b.ipynb: this is no notebook; save it again" in run(tmp_path / "b.ipynb").stderr
    (tmp_path / "c.py").write_text("import os\nos._exit(3)")
    assert "c.py: running it ended with 3 before its campaign ran" in run(tmp_path / "c.py").stderr


def test_a_wrong_definition_names_what_is_wrong(tmp_path: Path) -> None:
    wrong = CELLS[3].replace("each='file'", "each='fiel'")
    done = run(write_notebook(tmp_path / "a.ipynb", *CELLS[:3], wrong, CELLS[4]))
    assert done.returncode == 2
    assert "did you mean 'file'?" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_only_ipython_understands_is_translated(tmp_path: Path) -> None:
    done = run(write_notebook(tmp_path / "a.ipynb", "%config Completer.use_jedi = False", *CELLS))
    assert "cell 1 of a.ipynb fails: NameError: name 'get_ipython'" in done.stderr


def test_a_folder_or_a_notebook_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    wrong = CELLS[2].replace("'x'", "'x', root='nowhere'")
    done = run(write_notebook(tmp_path / "a.ipynb", *CELLS[:2], wrong, *CELLS[3:]))
    assert done.returncode == 2
    assert (
        done.stderr
        == f"penstock: there is no folder {tmp_path}/nowhere; make it, or correct the campaign's `root`\n"
    )
    done = run(tmp_path / "none.ipynb")
    assert done.stderr == f"penstock: there is no notebook {tmp_path}/none.ipynb; correct its name\n"
