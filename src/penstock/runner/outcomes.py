"""What an ended attempt means. No side effects but reading the log."""

import errno
import os
import signal
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Pattern, Sequence, Tuple

from .errors import LIMITS
from .logs import SlotLog
from .products import Made
from .spec import Rule, Stage

Verdict = Tuple[str, str, str, str]  # outcome, why, verdict, the rule that gave it

SIGNALLED: Dict[int, str] = {
    signal.SIGXFSZ: LIMITS[errno.EFBIG],
    signal.SIGXCPU: "it used more CPU time than its limit (ulimit -t)",
}
REPEATS = set("*+?{")
RULED = ("error", "missing_product", "timeout", "out_of_memory")


class Content(NamedTuple):
    """What an input file holds: its name in the record, bytes, time in ns, SHA-256."""

    name: str
    size: int
    mtime_ns: int
    digest: str


class Result(NamedTuple):
    """How an attempt ended."""

    outcome: str = "ok"
    why: str = ""
    verdict: str = ""
    code: Optional[int] = None
    signal: Optional[int] = None
    result: str = ""
    children: str = ""
    made: Tuple[Made, ...] = ()
    rule: str = ""  # whose verdict it is
    contents: Tuple[Content, ...] = ()  # of input files


def outcome_of_exit(stage: Stage, argv: Sequence[Any], status: int, log: SlotLog) -> Result:
    """Return what a command's exit status means, before its products are checked."""
    code, number = split_status(status)
    if shell_code(code, number) not in stage.ok_codes:
        return Result("error", _ending(argv, code, number, log), code=code, signal=number)
    return Result(code=code, signal=number)


def outcome_of_death(status: int) -> Result:
    """Return what the end of a worker in the middle of a task means."""
    code, number = split_status(status)
    if number is not None:
        why = "the worker was killed by {}".format(signal_name(number)) + _limit_of(number)
        return Result("error", why, signal=number)
    return Result("error", "the function ended its worker with exit code {}".format(code), code=code)


def was_killed(result: Result) -> bool:
    """Return whether SIGKILL ended it, or a shell reports that for what it ran."""
    return shell_code(result.code, result.signal) == 128 + signal.SIGKILL


def patterns_for(stage: Stage, result: Result) -> List[Pattern[str]]:
    """Return the patterns that an end's log may be searched for."""
    if result.outcome == "ok":
        return [stage.success_log] if stage.success_log else []
    return [rule.log for rule in _rules_for(stage, result) if rule.log]


def is_quick(pattern: Pattern[str], text: str) -> bool:
    """Return whether a search cannot take long: nothing in the pattern is repeated, or there is no text."""
    return not text or not REPEATS.intersection(pattern.pattern)


def judge_log(stage: Stage, result: Result, text: str, tell: Callable[[str], None]) -> Verdict:
    """Judge an end by its log: whether it is a success, or the verdict of the first rule that matches a failure."""
    if result.outcome == "ok":
        return _judge_success(stage, result, text, tell)
    for rule in _rules_for(stage, result):
        if rule.log:
            tell(rule.log.pattern)
        if not rule.log or rule.log.search(text):
            return result.outcome, rule.why or result.why, rule.verdict, rule.name
    return result.outcome, result.why, result.verdict, ""


def _judge_success(stage: Stage, result: Result, text: str, tell: Callable[[str], None]) -> Verdict:
    pattern = stage.success_log
    if pattern:
        tell(pattern.pattern)
    if not pattern or pattern.search(text):
        return "ok", "", "", ""
    why = "the end of the log does not match {!r}, which success requires".format(pattern.pattern)
    return "error", why, result.verdict, ""


def _rules_for(stage: Stage, result: Result) -> List[Rule]:
    if not stage.rules or result.outcome not in RULED or result.verdict:
        return []
    code = shell_code(result.code, result.signal)
    return [rule for rule in stage.rules if rule.exit is None or rule.exit == code]


def split_status(status: int) -> Tuple[Optional[int], Optional[int]]:
    """Return exit code and signal of a wait status; one of them is None."""
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None


def shell_code(code: Optional[int], number: Optional[int]) -> Optional[int]:
    """Return what a shell makes of an end: its exit code, or 128 + n for signal n."""
    return code if number is None else 128 + number


def signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "signal {}".format(number)


def _ending(argv: Sequence[Any], code: Optional[int], number: Optional[int], log: SlotLog) -> str:
    if number is not None:
        return "{} was killed by {}".format(_program(argv), signal_name(number)) + _limit_of(number)
    why, said = "{} ended with exit code {}".format(_program(argv), code), log.last_line()
    return "{}: {}".format(why, said) if said else why


def _limit_of(number: int) -> str:
    """Name the limit that a signal stands for."""
    return ": " + SIGNALLED[number] if number in SIGNALLED else ""


def _program(argv: Sequence[Any]) -> str:
    return os.path.basename(argv[0]) if argv and isinstance(argv[0], str) else "the command"
