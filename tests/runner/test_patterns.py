"""Patterns of definitions held against logs, also those that never come to an end."""

import re
import signal

import pytest

from penstock.runner.outcomes import Result, is_quick, judge_log, patterns_for
from penstock.runner.spec import parse_stage

ENDLESS = r"(x+x+)+y$"
LONG = "printf 'x%.0s' $(seq 60); echo; "


def stage_of(*rules, **more):
    return parse_stage("s", {"id": 1, "rules": list(rules), **more})


def told(stage, result, text):
    said = []
    return judge_log(stage, result, text, said.append), said


def test_the_first_rule_that_matches_says_what_a_failure_is():
    stage = stage_of(
        {"exit": 3, "log": "a", "verdict": "transient"},
        {"exit": None, "log": "b+", "verdict": "veto", "why": "b", "name": "beam"},
        {"exit": None, "log": None, "verdict": "permanent"},
    )
    failed = Result("error", "why", code=1)
    assert [pattern.pattern for pattern in patterns_for(stage, failed)] == ["b+"]
    assert told(stage, failed, "abb") == (("error", "b", "veto", "beam"), ["b+"])
    assert told(stage, failed, "c") == (("error", "why", "permanent", ""), ["b+"])
    assert told(stage, failed._replace(verdict="veto"), "b") == (("error", "why", "veto", ""), [])
    assert told(stage, failed._replace(outcome="cancelled"), "b") == (("cancelled", "why", "", ""), [])


def test_a_success_may_have_to_be_told_by_the_log():
    stage = stage_of(success_log="^DONE$")
    assert [pattern.pattern for pattern in patterns_for(stage, Result())] == ["^DONE$"]
    assert told(stage, Result(), "x\nDONE\n")[0] == ("ok", "", "", "")
    assert told(stage, Result(), "DONE?")[0][0] == "error"
    assert patterns_for(stage_of(), Result()) == []


@pytest.mark.parametrize(
    ("pattern", "text", "quick"),
    [
        ("licen[cs]e", "x", True),
        ("a|b", "x", True),
        ("a+", "x", False),
        ("a{9}", "x", False),
        ("(a+)+$", "", True),
    ],
)
def test_a_pattern_that_repeats_nothing_is_searched_at_once(pattern, text, quick):
    assert is_quick(re.compile(pattern), text) is quick


def test_a_rule_that_comes_to_no_end_fails_its_task_and_holds_up_no_other(lab):
    lab.stage("ruled", rules=[{"exit": None, "log": ENDLESS, "verdict": "veto", "why": "no"}])
    others = [lab.command(unit, "sleep", "0.05") for unit in range(2, 40)]
    lab.run([lab.shell(1, LONG + "exit 3", stage="ruled"), *others], workers=2)
    ends = lab.of_kind("end")
    assert (ends[-1]["u"], ends[-1]["o"], ends[-1].get("verdict")) == (1, "error", None)
    assert ends[-1]["why"] == f"the rule {ENDLESS!r} took longer than 10 s on its log: simplify it"
    assert {end["o"] for end in ends[:-1]} == {"ok"}


def test_signals_are_heeded_while_a_rule_is_tried(lab):
    lab.stage("ruled", success_log=ENDLESS)
    lab.batch(
        [
            lab.shell(1, LONG + "touch ran", stage="ruled"),
            *(lab.command(unit, "true") for unit in range(2, 9)),
        ]
    )
    process = lab.start()
    lab.wait_for(lambda: (lab.root / "ran").exists())
    process.send_signal(signal.SIGTERM)
    lab.wait_for(lambda: lab.of_kind("give"))
    lab.wait_for(lambda: not process.send_signal(signal.SIGTERM) and process.poll() is not None)
    assert lab.ends()[1]["o"] == "cancelled"


def test_rules_are_held_against_what_functions_print_too(lab):
    lab.function(
        "def run(task):\n    print('no licence', task.key[0])\n    assert task.key[0] == 2",
        rules=[{"exit": None, "log": r"licen.e \d+$", "verdict": "transient", "why": "no licence was free"}],
    )
    lab.run([lab.python(unit) for unit in (1, 2, 3)])
    ends = lab.ends()
    assert [ends[unit]["o"] for unit in (1, 2, 3)] == ["error", "ok", "error"]
    assert ends[3]["verdict"] == "transient"
    assert ends[3]["why"] == "no licence was free"
