import sys
import tomllib

import pytest

from penstock.errors import PenstockError
from penstock.workflows.setup.definition import definition_in, table, write_definition
from penstock.workflows.setup.demo import run_demo, send_to


@pytest.fixture
def make(tmp_path):
    def set_up(page="index.html"):
        (tmp_path / "demo").mkdir()
        (tmp_path / "demo/a.txt").write_text("a\n")
        stage = {"each": "campaign", "command": ["cp", "a.txt", "{product}"], "products": page}
        tables = [
            table("campaign", {"name": "demo", "levels": ["file"]}),
            table("units", {"files": "{file}.txt", "settle": "0s"}),
            table("stage.page", stage),
        ]
        write_definition(definition_in(tmp_path / "demo"), tables)

    return set_up


def test_a_demonstration_is_set_up_once_run_and_said_where_to_look(tmp_path, make):
    folder, said = tmp_path / "demo", []
    for _ in range(2):
        run_demo(folder, make, say=said.append)
    assert (folder / "index.html").read_text() == "a\n"
    assert said[0] == said[3].replace(f"{folder} already holds a campaign: continuing with it", said[0])
    assert said.count(f"\nSee {(folder / 'index.html').as_uri()}") == 2


def test_a_run_that_leaves_no_page_is_told_with_its_code(tmp_path, make):
    with pytest.raises(PenstockError, match="ended with 0 and made no page"):
        run_demo(tmp_path / "demo", lambda: make("other.html"), say=lambda _: None)


def test_a_cluster_is_added_to_the_definition_once(tmp_path, make):
    make()
    said = []
    for _ in range(2):
        assert send_to("slurm", tmp_path / "demo", said.append) == ["--site", "slurm"]
    sites = tomllib.loads((tmp_path / "demo/penstock.toml").read_text())["site"]
    assert sites == {"slurm": {"scheduler": "slurm", "python": sys.executable, "visibility": "10s"}}
    assert len(said) == 1
