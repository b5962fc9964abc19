"""`penstock provenance`."""

import json

import pytest
from click.shell_completion import ShellComplete

from penstock.cli import cli


def test_a_product_is_told_back_to_its_input(penstock, ran):
    shown = penstock("provenance", "of", ran / "out/a.txt", "-C", ran)
    assert shown.exit_code == 0
    assert "copy of a" in shown.output
    assert "data/a.txt" in shown.output


def test_an_input_is_told_forward(penstock, ran):
    shown = penstock("provenance", "uses", "data/a.txt", "-C", ran, "--json")
    assert [stage["paths"] for stage in json.loads(shown.output)["uses"]] == [["out/a.txt"]]


def test_a_unit_gets_a_document_in_the_wanted_format(penstock, ran):
    made = json.loads(penstock("provenance", "a", "-C", ran).output)
    assert [record["penstock:outcome"] for record in made["activity"].values()] == ["ok"]
    assert penstock("provenance", "a", "-C", ran, "--format", "prov-n").output.startswith("document\n")


def test_failures_are_in_the_document_of_the_campaign(penstock, ran):
    made = json.loads(penstock("provenance", "campaign", "-C", ran).output)
    (copy,) = made["activity"].values()
    assert (copy["penstock:tasks"], copy["penstock:attempts_error"]) == (3, 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("of", "nothing"), "knows no file"), (("uses", "nothing"), "knows no file"), (("d",), "no unit is called"),
        (("*",), "names 3 units"), (("a", "--stage", "cpoy"), "do you mean copy"),
    ],
)  # fmt: skip
def test_a_wrong_question_ends_with_2(penstock, ran, words, said):
    shown = penstock("provenance", *words, "-C", ran)
    assert (shown.exit_code, said in shown.stderr) == (2, True)


def test_commands_and_units_are_completed(ran, monkeypatch):
    monkeypatch.chdir(ran)
    complete = ShellComplete(cli, {}, "penstock", "_PENSTOCK_COMPLETE")
    assert {item.value for item in complete.get_completions(["provenance"], "")} == {
        "of",
        "uses",
        "a",
        "b",
        "c",
    }
    assert [item.value for item in complete.get_completions(["provenance", "a", "--stage"], "m")] == ["merge"]


def test_a_folder_gets_all_documents_and_the_lists_of_members(penstock, ran, tmp_path):
    shown = penstock("provenance", "campaign", "-C", ran, "--out", tmp_path / "docs")
    assert shown.exit_code == 0
    names = {path.name for path in (tmp_path / "docs").iterdir()}
    assert names == {"provenance.json", "provenance.provn", "provenance.svg", "members"}


def test_a_crate_needs_a_folder_and_a_licence(penstock, ran, tmp_path):
    shown = penstock("provenance", "a", "-C", ran, "--format", "ro-crate")
    assert (shown.exit_code, "--out DIR" in shown.stderr) == (2, True)
    shown = penstock("provenance", "a", "-C", ran, "--format", "ro-crate", "--out", tmp_path / "crate")
    assert (shown.exit_code, "needs a licence" in shown.stderr) == (2, True)
    assert not (tmp_path / "crate").exists()


def test_the_formats_offered_are_those_there_are():
    from penstock.cli.provenance import FORMATS
    from penstock.provenance import folder

    assert folder.FORMATS == FORMATS
