import pytest

import penstock.record
from penstock.errors import DefinitionError
from penstock.record.asking import Question


def ask(campaign, *words, **named):
    with penstock.record.open(campaign.root) as record:
        return record.ask(*words, **named)


def states(campaign):
    with penstock.record.open(campaign.root) as record:
        return {task.unit: task.state for task in record.tasks("fit")}


def test_without_a_conductor_it_is_done_at_once(ran):
    assert ask(ran, "retry") == ["1 failed task will be retried"]
    assert states(ran)["2020-01-18/00002"] == "ready"


def test_a_veto_of_a_pattern_is_one_request(ran):
    [answer] = ask(ran, "veto", "*/00002", stage="fit", why="clouds")
    assert answer.startswith("1 task vetoed; 1 task left alone")
    assert states(ran)["2020-01-18/00002"] == "vetoed"
    assert ask(ran, "unveto", "*/00002", stage="fit") == ["1 task no longer vetoed"]


def test_what_is_made_again_may_be_chosen_by_its_fields(ran):
    [answer] = ask(ran, "redo", stage="fit", where="kind == 'DARK'", why="new lamp")
    assert answer.startswith("2 done tasks will be redone")
    with penstock.record.open(ran.root) as record:
        stale = [(task.unit, "new lamp" in task.stale) for task in record.tasks("fit", stale=True)]
    assert stale == [("2020-01-17/00003", True), ("2020-01-18/00003", True)]


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ({"action": "delete"}, "choose one of retry, cancel, veto, unveto, redo"),
        ({"action": "veto", "units": ("a",), "why": " "}, "veto needs a unit and the reason"),
        ({"action": "veto", "why": "clouds"}, "veto needs a unit and the reason"),
        ({"action": "retry", "where": "run > 1"}, "only redo and fetch take an expression"),
    ],
)
def test_a_wrong_question_is_refused_before_anything_is_asked(question, said):
    with pytest.raises(DefinitionError, match=said):
        Question(**question)


def test_a_unit_that_is_not_there_is_told_and_nothing_is_asked(ran):
    with pytest.raises(DefinitionError, match="no unit is called '2021'"):
        ask(ran, "cancel", "2021")
    assert not (ran.root / ".penstock/actions.jsonl").exists()
