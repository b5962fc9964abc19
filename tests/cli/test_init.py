import pytest

from penstock.cli.init import TEMPLATES


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
