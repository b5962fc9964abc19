import json
import tomllib
import wave

import jsonschema
import pytest

from penstock.cli.init import TEMPLATES
from penstock.config.editors import FILE, LINE, published


@pytest.mark.parametrize("template", TEMPLATES)
def test_what_a_template_writes_is_a_right_definition(penstock, tmp_path, template):
    assert penstock("init", tmp_path / "new", "--template", template).exit_code == 0
    shown = penstock("check", "-C", tmp_path / "new")
    assert (shown.exit_code, shown.output.splitlines()[0]) == (0, "new: the definition is valid")


def test_init_writes_here_by_default(penstock, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert penstock("init").exit_code == 0
    assert (tmp_path / "penstock.toml").exists()


def test_nothing_is_overwritten(penstock, winter):
    before = (winter / "penstock.toml").read_text()
    shown = penstock("init", winter)
    assert (shown.exit_code, "already exists" in shown.stderr) == (2, True)
    assert (winter / "penstock.toml").read_text() == before


def test_a_folder_with_a_hostile_name_gives_a_right_definition(penstock, tmp_path):
    folder = tmp_path / 'a "quoted" \\ name'
    assert penstock("init", folder).exit_code == 0
    assert penstock("check", "-C", folder).exit_code == 0


def test_the_python_template_runs(penstock, tmp_path):
    penstock("init", tmp_path, "-t", "python")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a.txt").write_text("three little words")
    assert penstock("run", "-C", tmp_path, "--set", "units.settle=0s").exit_code == 0
    assert (tmp_path / "results/a.json").read_text() == '{"words": 3, "scaled": 6.0}'


def test_a_workflow_has_its_own_init(penstock):
    shown = penstock("init", "acoustics", "--help")
    assert shown.exit_code == 0
    assert "--audio" in shown.output


def test_help_names_the_workflows(penstock):
    assert "acoustics" in penstock("init", "--help").output


# What is set up → the words after `penstock init`; `data` has a recording and a file of trajectories.
KINDS = {
    **{template: ("new", "--template", template) for template in TEMPLATES},
    "acoustics": ("acoustics", "new", "--audio", "data/*.wav", "--close"),
    "detector": ("detector", "new", "--data", "data", "--all", "--scheduler", "slurm", "--calib", "store", "--group",
                 "CsPad::CalibV1", "--source", "CxiDs1.0:Cspad.0"),
    "sweep": ("sweep", "new", "--program", "ising"),
    "telescope": ("telescope", "new", "--data", "data", "--deadline", "18:00 next day", "--mail", "a@b.org", "--final",
                  "final", "--web", "web"),
    "tracking": ("tracking", "new", "--data", "data/*.csv", "--sigma", "0.03"),
}  # fmt: skip


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    with wave.open("data/20260117_000000.wav", "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(range(250)) * 640)
    (tmp_path / "data/a.csv").write_text("trajectory,frame,x,y\n1,0,0.1,0.2\n1,1,0.2,0.3\n")


@pytest.mark.usefixtures("data")
@pytest.mark.parametrize("kind", KINDS)
def test_an_editor_finds_the_schema_of_each_definition_and_is_pleased(penstock, tmp_path, kind):
    shown = penstock("init", *KINDS[kind])
    assert shown.exit_code == 0, shown.output
    text = (tmp_path / "new/penstock.toml").read_text()
    directive, place = text.splitlines()[0].split()
    assert (directive, place[:2]) == ("#:schema", "./"), "taplo reads it as relative to the definition"
    schema = tmp_path / "new" / place
    jsonschema.validate(tomllib.loads(text), json.loads(schema.read_text()))
    with pytest.raises(jsonschema.ValidationError, match="levls"):
        jsonschema.validate(tomllib.loads(text.replace("levels", "levls")), json.loads(schema.read_text()))
    schema.write_text("{}")
    assert penstock("check", "-C", "new").exit_code == 0
    assert "StageTable" in schema.read_text(), "an upgrade renews it"


def test_a_run_renews_the_schema_that_an_older_penstock_left(penstock, winter):
    whole = '[units]\ncomplete = { campaign = "quiet 1h" }'
    definition = winter / "penstock.toml"
    definition.write_text(LINE + definition.read_text().replace("[units]", whole))
    for command in ("tick", "run"):
        (winter / FILE).unlink(missing_ok=True)
        penstock(command, "-C", winter)
        assert (winter / FILE).read_bytes() == published()
