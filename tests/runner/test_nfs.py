"""The folders of inputs are looked at anew before a task reads them."""

import os
import sys

import pytest

from penstock.runner.nfs import FreshListings
from penstock.runner.revoked import Revocations


def test_the_folders_of_all_inputs_are_known_also_of_those_in_lists(tmp_path):
    (tmp_path / "list.txt").write_text("c/3\nc/4\nd/e/5\n")
    listings = FreshListings("/root", str(tmp_path))
    assert listings.folders({"a": ["a/1", "b/2", "a/3"], "b": {"list": "list.txt"}}) == {"a", "b", "c", "d/e"}
    assert listings.folders({}) == set()
    assert listings.folders({"a": {"list": "none"}}) == set()


@pytest.fixture
def opened(tmp_path):
    """What is opened in the test's folder, in this order."""
    paths, watching = [], [True]

    def hook(event, arguments):
        if watching and event == "open" and str(arguments[0]).startswith(str(tmp_path)):
            paths.append(arguments[0])

    sys.addaudithook(hook)
    yield paths
    watching.clear()


def test_each_is_opened_and_one_that_is_missing_is_left_to_the_task(tmp_path, opened):
    (tmp_path / "a").mkdir()
    FreshListings(str(tmp_path), str(tmp_path)).refresh({"a": ["a/1", "b/2", "/c/3"]})
    assert sorted(opened) == [os.path.join(str(tmp_path), "a"), os.path.join(str(tmp_path), "b")]


def test_the_job_is_looked_at_anew_before_a_product_gets_its_name(tmp_path, opened):
    revocations = Revocations(str(tmp_path / "1.revoked"), str(tmp_path / "1.2.jsonl"), lambda: None)
    revocations.refresh()
    assert opened == []
    assert not revocations.cover(1, 1)
    assert opened == [str(tmp_path)]
    (tmp_path / "1.revoked").write_text('{"tasks": [[1, 1]]}')
    assert revocations.cover(1, 1)


def test_the_runner_looks_before_it_starts_a_task(lab):
    (lab.modules / "sitecustomize.py").write_text(
        "import os, sys\n"
        "real = os.open\n"
        "def look(path, *rest, **named):\n"
        "    if str(path).endswith('/upstream'): sys.stderr.write('looked\\n')\n"
        "    return real(path, *rest, **named)\n"
        "os.open = look\n"
    )
    (lab.root / "upstream").mkdir()
    tasks = [lab.command(n, "true", inputs={"a": [f"upstream/{n}"]}) for n in (1, 2)]
    done = lab.run(tasks, env={"PYTHONPATH": str(lab.modules)})
    assert done.stderr.count("looked") == 2
