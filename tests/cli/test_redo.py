"""`penstock redo` promises only what it will do."""

import json


def test_a_vetoed_unit_is_left_out_and_the_answer_says_what_lifts_the_veto(penstock, ran):
    penstock("veto", "a", "--why", "clouds", "-C", ran)
    shown = penstock("redo", "a", "b", "-C", ran)
    assert shown.output.startswith("1 done task will be redone; 1 left out (vetoed by ")
    assert shown.output.endswith(": clouds): lift the veto with `penstock unveto a`\n")
    assert penstock("units", "--stale", "-C", ran).output.count("copy") == 1


def test_a_dry_run_names_what_is_redone_and_counts_what_is_not(penstock, ran):
    penstock("veto", "a", "--why", "clouds", "-C", ran)
    said, *named = penstock("redo", "--stage", "copy", "-n", "-C", ran).output.splitlines()
    assert "1 left out" in said
    assert named == ["  copy b"]


def test_in_json_what_is_left_out_is_listed_with_why_and_the_remedy(penstock, ran):
    penstock("veto", "a", "--why", "clouds", "-C", ran)
    said = json.loads(penstock("redo", "--stage", "copy", "-n", "--json", "-C", ran).output)
    assert said["tasks"] == [{"stage": "copy", "unit": "b"}]
    [left] = said["left_out"]
    assert (left["stage"], left["unit"], left["why"].endswith(": clouds")) == ("copy", "a", True)
    assert left["remedy"] == "lift the veto with `penstock unveto a`"


def test_the_answer_in_json_says_it_too(penstock, ran):
    penstock("veto", "a", "--why", "clouds", "-C", ran)
    said = json.loads(penstock("redo", "a", "--json", "-C", ran).output)
    assert said["answer"].startswith("nothing to redo; 1 left out")


def test_a_file_that_is_gone_must_come_back_first(penstock, ran):
    (ran / "data" / "a.txt").unlink()
    penstock("run", "--accept-gone", "-C", ran)
    said = penstock("redo", "a", "-C", ran).output
    assert said == "nothing to redo; 1 left out (its input disappeared): bring it back first\n"
