"""A notebook and an older Python where its functions are to run: told before anything is submitted."""

import subprocess
import sys

import pytest
from tests.far.lab import Lab
from tests.notebook.kernel import Notebook
from tests.pythons import find_old
from tests.sshd import HOST

SETUP = """
import sys
import penstock
from pathlib import Path

class Offset:
    by = 4

offset = Offset()
Path("raw.txt").write_text("3")
campaign = penstock.Campaign(
    "old", levels=["file"], units=penstock.files("{{file}}.txt", settle="0s"),
    sites={{"far": {{"host": {host!r}, "workdir": {workdir!r}, "python": {python!r}, "visibility": "2s"}},
           "local": {{"python": {python!r}}}}},
)
"""
STAGE = """
@campaign.stage(each="file", {more})
def version(task):
    return [sys.version_info[1], int(Path(task.fields["path"]).read_text()) + {used}]
"""
OURS = "{}.{}".format(*sys.version_info)


def test_an_older_python_there_is_told_before_submission_and_used_where_that_is_said(lab: Lab) -> None:
    old = find_old("3.9", "3.8", "3.10")
    if not old:
        pytest.skip("there is no Python 3.9 here: install it with pyenv or as python3.9")
    lab.root.mkdir()
    notebook = Notebook(lab.root, lab.environment)
    try:
        notebook.run(SETUP.format(host=HOST, workdir=str(lab.root.parent / "there"), python=old))
        notebook.run(STAGE.format(more='site="far"', used="0"))
        notebook.run("campaign.freeze()")
        lab.login()
        there = f"at {HOST} it gets {version_of(old)}: name another one as `python` of [site.far]"
        assert f"'version' needs Python {OURS} or newer, and {there}, load one in its" in refusal(
            notebook, lab
        )
        notebook.run(STAGE.format(more='site="far", pickled=["offset"]', used="offset.by"))
        assert f"'version' needs Python {OURS}, and {there} or load one in its" in refusal(notebook, lab)
        notebook.run(STAGE.format(more='requires_python=">=3.8"', used="0"))
        shown = notebook.run("campaign.run().code")
        assert (shown.value, shown.error) == ("0", "")
        assert (
            notebook.run("campaign.results('version')['raw']").value
            == f"[{version_of(old).split('.')[1]}, 3]"
        )
    finally:
        notebook.end()


def refusal(notebook: Notebook, lab: Lab) -> str:
    """Run it, and return why it stopped; nothing was submitted."""
    shown = notebook.run("ending = campaign.run(); print(ending.code, *ending.lines, sep='\\n')")
    assert shown.error == ""
    code, *lines = shown.printed.splitlines()
    assert code == "1"
    assert lab.rows("SELECT count(*) FROM job") == [(0,)]
    return next(line for line in lines if "needs Python" in line)


def version_of(python: str) -> str:
    return subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout.split()[1]
