"""Searches of logs for a stage's patterns: in another process when they may take long, as for `(a+)+$`."""

from functools import partial
from typing import Any, Callable

from .children import Children
from .outcomes import Result, is_quick, judge_log, patterns_for
from .slots import Attempt

LIMIT_S = 10.0

Then = Callable[[Attempt, Result], None]


class Patterns:
    """Judge ends by their logs; call back with the verdicts."""

    def __init__(self, children: Children) -> None:
        self._children = children

    def hold(self, attempt: Attempt, result: Result, then: Then) -> None:
        """Judge an end by the patterns of its stage."""
        stage, patterns = attempt.work.stage, patterns_for(attempt.work.stage, result)
        text = attempt.slot.log.tail() if patterns else ""
        ask = partial(judge_log, stage, result, text)
        judged = partial(_judged, attempt, result, then)
        if all(is_quick(pattern, text) for pattern in patterns):
            judged(ask(lambda _: None))
        else:
            attempt.ask(self._children, ask, judged, seconds=LIMIT_S)


def _judged(attempt: Attempt, result: Result, then: Then, verdict: Any) -> None:
    told, attempt.errand = attempt.errand.told if attempt.errand else "", None
    if verdict is None and attempt.ending:
        verdict = (*attempt.ending, "", "")
    if verdict is None:
        why = "the rule {!r} took longer than {:g} s on its log: simplify it".format(told, LIMIT_S)
        verdict = ("error", why, "", "")
    outcome, why, verdict, rule = verdict
    then(attempt, result._replace(outcome=outcome, why=why, verdict=verdict, rule=rule))
