"""A workflow whose packages are not installed is told before anything is written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from penstock.config import check, load
from penstock.errors import DefinitionError
from penstock.extras import explain_missing, how_to_install, packages_of, workflow_of

METADATA = """Metadata-Version: 2.1
Name: star-gazing
Version: 1.0
Provides-Extra: sky
Requires-Dist: click>=8
Requires-Dist: pytest[more]<99; python_version >= "3.11" and extra == "sky"
Requires-Dist: no-telescope>=2; extra == 'sky'
Requires-Dist: no-web; extra == 'web'
"""
PLUGIN = """
import click
from pathlib import Path


@click.command("sky")
@click.argument("folder", type=click.Path(path_type=Path))
def init(folder):
    "Look up."
    folder.mkdir()
    import no_telescope


@click.group("sky")
def group():
    "Stars."


@group.command()
def count():
    "Count them."
    Path("counted").touch()


@click.command("sky")
@click.argument("folder", type=click.Path(path_type=Path))
def demo(folder):
    "A night of stars."
    folder.mkdir()
"""
SENTENCE = 'the workflow sky needs no-telescope, which are not installed: pip install "star-gazing[sky]"'
CAMPAIGN = """
campaign = { name = "stars", levels = ["file"] }
units = { files = "data/{file}.txt" }
[stage.look]
each = "file"
python = "gazing.stages:look"
"""


@pytest.fixture
def sky(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a workflow of somebody else, without what its extra asks for; return a folder to work in."""
    site, folder = tmp_path / "site", tmp_path / "work"
    folder.mkdir()
    info, package = site / "star_gazing-1.0.dist-info", site / "gazing"
    info.mkdir(parents=True)
    package.mkdir()
    (info / "METADATA").write_text(METADATA)
    (info / "entry_points.txt").write_text("[penstock.workflows]\nsky = gazing.plugin\n")
    (package / "__init__.py").touch()
    (package / "plugin.py").write_text(PLUGIN)
    (package / "stages.py").write_text("import no_telescope\ndef look(task): pass\n")
    for name in [name for name in sys.modules if name.partition(".")[0] == "gazing"]:
        monkeypatch.delitem(sys.modules, name)  # that of another test, whose folder is gone
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", str(site))
    return folder


def penstock(folder: Path, *words: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "penstock", *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("words", ["init sky new", "sky count", "demo sky new"])
def test_a_command_whose_packages_are_missing_says_so_and_writes_nothing(sky: Path, words: str) -> None:
    assert penstock(sky, *words.split()) == (2, "", f"penstock: {SENTENCE}\n")
    assert list(sky.iterdir()) == []


@pytest.mark.parametrize("words", ["init sky --help", "sky count --help", "demo sky --help"])
def test_help_is_shown_without_them(sky: Path, words: str) -> None:
    code, out, _ = penstock(sky, *words.split())
    assert (code, out.startswith("Usage: penstock ")) == (0, True)


def test_a_campaign_whose_stages_would_lack_them_is_refused_with_the_line(sky: Path) -> None:
    (sky / "penstock.toml").write_text(CAMPAIGN)
    with pytest.raises(DefinitionError) as told:
        check(load(sky))
    assert str(told.value) == f"{sky}/penstock.toml:6: {SENTENCE}"


@pytest.mark.parametrize(
    ("name", "dir_info", "command"),
    [
        ("a clone", {"editable": True}, 'pip install -e "{place}[sky]"'),
        ("star_gazing-1.0-py3-none-any.whl", {}, 'pip install "{place}[sky]"'),
    ],
)
def test_more_comes_from_where_it_was_installed_from(
    sky: Path, name: str, dir_info: dict[str, bool], command: str
) -> None:
    place = sky / name
    origin = sky.parent / "site/star_gazing-1.0.dist-info/direct_url.json"
    origin.write_text(json.dumps({"url": place.as_uri(), "dir_info": dir_info}))
    assert how_to_install("star-gazing", "sky") == 'pip install "star-gazing[sky]"'  # there is nothing now
    place.touch()
    assert how_to_install("star-gazing", "sky") == command.format(place=place)


def test_ours_is_never_taken_from_the_index(sky: Path) -> None:
    info = sky.parent / "site/star_gazing-1.0.dist-info"
    info.rename(info.with_name("penstock-1.0.dist-info"))
    info.with_name("penstock-1.0.dist-info").joinpath("METADATA").write_text(
        METADATA.replace("star-gazing", "penstock")
    )
    assert how_to_install("penstock", "web") == 'pip install ".[web]" in a clone of penstock'
    assert how_to_install("stars", "sky") == 'pip install "stars[sky]"'  # run from its source


def test_another_python_or_a_cluster_may_have_them(sky: Path) -> None:
    (sky / "penstock.toml").write_text(CAMPAIGN)
    assert check(load(sky, ["site.local.python=/opt/python3"])) == []
    (sky / "penstock.toml").write_text(CAMPAIGN + '[site.far]\nscheduler = "slurm"\n')
    assert check(load(sky, ["campaign.site=far"])) == []


def test_a_workflow_whose_packages_are_there_is_told_nothing(sky: Path) -> None:
    info = sky.parent / "site/star_gazing-1.0.dist-info/METADATA"
    info.write_text(METADATA.replace("no-telescope>=2", "hypothesis"))
    assert explain_missing("sky") is None


def test_a_module_belongs_to_the_workflow_whose_package_it_is_in(sky: Path) -> None:
    names = ("gazing", "gazing.stages", "gazing_else", "penstock.workflows.acoustics.levels", "steps")
    assert [workflow_of(name) for name in names] == ["sky", "sky", None, "acoustics", None]


def test_of_many_packages_some_are_named(sky: Path) -> None:
    info = sky.parent / "site/star_gazing-1.0.dist-info/METADATA"
    more = "".join(f"Requires-Dist: no-{n}; extra == 'sky'\n" for n in range(9))
    info.write_text(METADATA + more)
    assert "needs no-telescope, no-0, no-1, no-2 and 6 more, which are not installed" in explain_missing(
        "sky"
    )


def test_only_the_packages_of_the_extra_are_meant() -> None:
    lines = ["click>=8.5", "numpy; extra == 'sky'", "zarr; extra == 'skyline'", 'h5py ; extra == "sky"']
    assert packages_of(lines, "sky") == ["numpy", "h5py"]
