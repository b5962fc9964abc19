"""What an ended attempt means. No side effects but reading the log."""

import os
import signal
from typing import Any, NamedTuple, Optional, Sequence, Tuple

from .logs import SlotLog
from .products import Made
from .spec import Stage

RULED = ("error", "missing_product", "timeout", "out_of_memory")


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


def judge_exit(stage: Stage, argv: Sequence[Any], status: int, log: SlotLog) -> Result:
    """Say what a command's exit status and log mean, before its products are looked at."""
    code, number = split_status(status)
    if shell_code(code, number) not in stage.ok_codes:
        return Result("error", _ending(argv, code, number, log), code=code, signal=number)
    if stage.success_log and not stage.success_log.search(log.tail()):
        why = "the end of the log does not match {!r}, which tells success".format(stage.success_log.pattern)
        return Result("error", why, code=code, signal=number)
    return Result(code=code, signal=number)


def judge_death(status: int) -> Result:
    """Say what the end of a worker in the middle of a task means."""
    code, number = split_status(status)
    if number is not None:
        return Result("error", "the worker was killed by {}".format(signal_name(number)), signal=number)
    return Result("error", "the function ended its worker with exit code {}".format(code), code=code)


def was_killed(result: Result) -> bool:
    """Say whether SIGKILL ended it, or a shell says so of what it ran."""
    return shell_code(result.code, result.signal) == 128 + signal.SIGKILL


def apply_rules(stage: Stage, result: Result, log: SlotLog) -> Result:
    """Let the first of the stage's rules that matches a failure say what it is."""
    if not stage.rules or result.outcome not in RULED or result.verdict:
        return result
    text = log.tail() if any(rule.log for rule in stage.rules) else ""
    for rule in stage.rules:
        if rule.exit is not None and rule.exit != shell_code(result.code, result.signal):
            continue
        if rule.log and not rule.log.search(text):
            continue
        return result._replace(verdict=rule.verdict, why=rule.why or result.why)
    return result


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
        return "{} was killed by {}".format(_program(argv), signal_name(number))
    why, said = "{} ended with exit code {}".format(_program(argv), code), log.last_line()
    return "{}: {}".format(why, said) if said else why


def _program(argv: Sequence[Any]) -> str:
    return os.path.basename(argv[0]) if argv and isinstance(argv[0], str) else "the command"
