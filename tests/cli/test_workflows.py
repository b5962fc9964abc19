"""What the command line asks of a workflow's plug-in."""

import sys

import pytest

from penstock.cli.workflows import load_workflow
from penstock.errors import DefinitionError

PLUGIN = """
import click
init = demo = click.Command("w", callback=lambda: None)
group = click.Command("w")
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    def add(name, text):
        info = tmp_path / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[penstock.workflows]\n{name} = {name}_plugin\n")
        (tmp_path / f"{name}_plugin.py").write_text(text)
        monkeypatch.syspath_prepend(tmp_path)

    yield add
    for module in [name for name in sys.modules if name.endswith("_plugin")]:
        del sys.modules[module]


def test_a_part_that_is_missing_or_of_another_kind_is_named(install):
    install("odd", PLUGIN)
    with pytest.raises(
        DefinitionError, match=r"workflow odd has no group: odd_plugin must have a click\.Group"
    ):
        load_workflow("odd")


def test_any_object_with_the_three_commands_is_a_workflow(install):
    install("even", PLUGIN.replace("click.Command", "click.Group"))
    assert load_workflow("even").group.name == "w"
