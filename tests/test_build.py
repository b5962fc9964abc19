"""The Python API makes the same campaigns as TOML, and the same errors."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import penstock
from penstock.config import load, to_json
from penstock.errors import DefinitionError

TOML = """
[campaign]
name = "winter"
levels = ["run", "file"]
[params]
window = 1024
[units]
files = "audio/{run:05d}/{file}.wav"
settle = "1min"
[units.run]
table = "runs.csv"
types = { gain = "float" }
[stage.levels]
each = "file"
python = "campaign:levels"
products = { text = "levels/{run}_{file}.txt" }
batch = "20min"
[stage.merge]
each = "run"
command = ["cat", "{inputs.levels}"]
after = ["levels"]
[site.local]
cores = 2
"""

PYTHON = """
import penstock

units = penstock.files("audio/{run:05d}/{file}.wav", settle="1min", run=penstock.table("runs.csv", types={"gain": "float"}))
campaign = penstock.Campaign(
    "winter", levels=["run", "file"], units=units, params={"window": 1024}, sites={"local": {"cores": 2}}
)


@campaign.stage(each="file", products={"text": "levels/{run}_{file}.txt"}, batch="20min")
def levels(task):
    return {}


campaign.stage("merge", each="run", command=["cat", "{inputs.levels}"], after=["levels"])
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "runs.csv").write_text("run,gain\n")
    (tmp_path / "campaign.py").write_text(PYTHON)
    return tmp_path


def test_python_and_toml_make_the_same_campaign(folder: Path):
    from_python = to_json(load(folder))
    (folder / "penstock.toml").write_text(TOML)
    from_toml = to_json(load(folder / "penstock.toml"))
    for copy in (from_python, from_toml):
        del copy["file"], copy["digest"], copy["origin"]
    assert from_python == from_toml


def test_two_definitions_in_one_folder_are_refused(folder: Path):
    (folder / "penstock.toml").write_text(TOML)
    with pytest.raises(DefinitionError, match=r"has two definitions, penstock\.toml and"):
        load(folder)


def test_a_decorated_function_stays_a_function(folder: Path):
    campaign = load(folder)
    module = sys.modules["campaign"]
    assert campaign.stage("levels").python == "campaign:levels"
    assert module.levels(None) == {}


def test_overrides_reach_a_python_definition(folder: Path):
    assert load(folder, ["stage.levels.batch=7"]).stage("levels").batch == 7


def test_a_mistake_is_told_at_the_line_of_its_call(folder: Path):
    (folder / "campaign.py").write_text(PYTHON.replace("batch=", "bach="))
    with pytest.raises(
        DefinitionError, match=r"\[stage.levels\] has no key 'bach'; did you mean 'batch'"
    ) as caught:
        load(folder)
    assert (caught.value.file, caught.value.line) == (folder / "campaign.py", 10)


def test_two_stages_of_one_name_are_refused(folder: Path):
    (folder / "campaign.py").write_text(PYTHON + 'campaign.stage("merge", each="run", command=["true"])\n')
    with pytest.raises(DefinitionError, match="two stages called 'merge'"):
        load(folder)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("x = 1\n", "there is no campaign here"),
        (PYTHON + 'other = penstock.Campaign("b", levels=["a"])\n', "there is 2 campaigns here"),
        ("import penstock\n1 / 0\n", "running it fails: ZeroDivisionError"),
        ("def f(:\n", "running it fails: SyntaxError"),
        ("import no_such_module\n", "No module named 'no_such_module'"),
    ],
)
def test_a_file_that_holds_no_campaign_says_so(folder: Path, code: str, said: str):
    (folder / "campaign.py").write_text(code)
    with pytest.raises(DefinitionError, match=said):
        load(folder)


def test_a_failing_file_is_told_at_its_line(folder: Path):
    (folder / "campaign.py").write_text("x = 1\n\n1 / 0\n")
    with pytest.raises(DefinitionError) as caught:
        load(folder)
    assert caught.value.line == 3


def test_two_names_for_one_campaign_are_one_campaign(folder: Path):
    (folder / "campaign.py").write_text(PYTHON + "alias = campaign\n")
    assert load(folder).name == "winter"


def test_a_function_without_a_name_cannot_be_a_stage():
    campaign = penstock.Campaign("x", levels=["a"])
    with pytest.raises(DefinitionError, match="cannot be imported by its name"):
        campaign.stage(each="a")(lambda task: None)


def test_a_command_stage_needs_a_name():
    with pytest.raises(DefinitionError, match="needs a name"):
        penstock.Campaign("x", levels=["a"]).stage(each="a", command=["true"])


def test_a_callable_may_stand_for_its_reference(tmp_path: Path):
    campaign = penstock.Campaign("x", levels=["a"], units=penstock.function(load), root=tmp_path)
    campaign.stage("s", each="a", python=load, setup=to_json)
    frozen = campaign.freeze()
    assert frozen.stage("s").python == "penstock.config:load"
    assert frozen.sources[0].function == "penstock.config:load"


def test_a_campaign_runs_and_tells_its_status(tmp_path: Path):
    campaign = penstock.Campaign(
        "x", levels=["a"], units=penstock.files("{a}.txt", settle="0s"), root=tmp_path
    )
    campaign.stage("s", each="a", command=["cp", "{path}", "{product}"], products="out/{a}")
    campaign.stage("t", each="a", after=["s"], command=["true"])
    for name in "ab":
        (tmp_path / f"{name}.txt").touch()
    assert campaign.status().stages[0].tasks["ready"] == 2
    assert not (tmp_path / ".penstock").exists()
    assert campaign.run("a", stage="s").code == 0
    assert [stage.tasks["done"] for stage in campaign.status().stages] == [1, 0]
    ending = campaign.run()
    assert (ending.code, ending.lines) == (0, ["all done: 4 tasks"])


def test_a_campaign_gives_what_its_functions_returned(tmp_path: Path):
    (tmp_path / "steps.py").write_text(
        "def size(task):\n    return {'bytes': len(open(task.fields['path']).read())}\n"
    )
    for name in "ab":
        (tmp_path / f"{name}.txt").write_text(name * 3)
    campaign = penstock.Campaign(
        "x", levels=["a"], units=penstock.files("{a}.txt", settle="0s"), root=tmp_path
    )
    campaign.stage("size", each="a", python="steps:size")
    campaign.run()
    assert {row.unit: row.value for row in campaign.results("size")} == {"a": {"bytes": 3}, "b": {"bytes": 3}}


def test_freezing_leaves_the_draft_as_it_was(tmp_path: Path):
    campaign = penstock.Campaign("x", levels=["a"], units=penstock.files("{a}.txt"), root=tmp_path)
    campaign.stage("s", each="a", command=["true"])
    assert campaign.freeze(["stage.s.workers=3"]).stage("s").workers == 3
    assert campaign.freeze().stage("s").workers == 1


def test_closings_are_given_as_tables_by_level(tmp_path: Path):
    close = {"a": {"steps": ["verify", "seal"], "not_before": "08:00 next day"}}
    campaign = penstock.Campaign(
        "x", levels=["a"], units=penstock.files("{a}.txt"), close=close, root=tmp_path
    )
    campaign.stage("s", each="a", command=["true"])
    assert [stage.name for stage in campaign.freeze().stages] == ["s", "close.a.verify", "close.a.seal"]


def test_building_a_campaign_imports_no_pydantic(folder: Path):
    code = "import sys, campaign; print([name for name in sys.modules if name.startswith(('pydantic', 'click', 'rich'))])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_importing_penstock_imports_nothing_else():
    code = "import sys; before = {*sys.modules}; import penstock; print(sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['penstock']"


@pytest.mark.parametrize("name", penstock.__all__)
def test_every_public_name_is_there(name: str):
    assert getattr(penstock, name) is not None
    assert name in dir(penstock)


@pytest.mark.parametrize("name", penstock.__all__)
def test_no_module_hides_a_public_name(name: str):
    assert importlib.util.find_spec(f"penstock.{name}") is None, f"`import penstock.{name}` would replace it"


def test_another_name_is_not_there():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = penstock.nothing
