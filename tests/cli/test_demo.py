import pytest

from penstock.cli.workflows import workflows


def test_without_a_name_the_workflows_are_listed_with_a_line_each(penstock):
    shown = penstock("demo")
    assert shown.exit_code == 0
    listed = [line.split(": ")[0] for line in shown.output.splitlines()]
    assert "penstock demo acoustics" in listed
    assert listed == [f"penstock demo {name}" for name in workflows()]


def test_a_demonstration_has_the_options_of_its_workflow(penstock):
    shown = penstock("demo", "acoustics", "--help")
    assert (shown.exit_code, "--audio" in shown.output, "--scheduler" in shown.output) == (0, True, True)


@pytest.mark.parametrize("word", ["my demo", "acustics"])
def test_a_word_that_is_no_workflow_is_told_where_the_folder_goes(penstock, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = penstock("demo", word)
    assert shown.exit_code == 2
    assert f"no workflow is called '{word}' (installed: {', '.join(workflows())})" in shown.stderr
    assert "`penstock demo acoustics " in shown.stderr
    assert list(tmp_path.iterdir()) == []
