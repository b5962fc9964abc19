"""A forked worker: imports functions once, runs one Python task at a time."""

import importlib
import io
import json
import os
import resource
import sys
import time
import traceback
from typing import Any, Callable, Dict, List, NamedTuple, Optional, TextIO, Tuple

from .messages import Inbox, pack, write_all
from .products import Made, Planned, explained, find_products, is_heavy, secure_products, sync_tree
from .spec import Job, Stage
from .task import Task, Verdict
from .trouble import Trouble, Unfit

RESULT_LIMIT = 64 * 1024
CHILDREN_LIMIT = 900000  # the event that carries them must stay below 1 MB
UNHEARD_LIMIT = 32 * 1024
OPENING = 4 * 1024
NEGLIGIBLE_BYTES = 4 << 20
CAME_BACK = 70  # what a process ends with that a function forked and did not end


class Reply(NamedTuple):
    """How a function ended; `result` and `children` are JSON texts."""

    outcome: str = "ok"
    why: str = ""
    verdict: str = ""
    result: str = ""
    children: str = ""
    made: Tuple[Tuple[Any, ...], ...] = ()


class Voice:
    """Send replies one by one, and ring the bell when the runner should read them."""

    def __init__(self, replies: int, bell: int) -> None:
        self._replies = replies
        self._bell = bell
        self._unheard = 0

    def say(self, reply: Tuple[Any, ...]) -> None:
        data = pack(reply)
        if self._unheard + len(data) <= UNHEARD_LIMIT:
            write_all(self._replies, data)
            self._unheard += len(data)
            return
        # The pipe must not fill while nobody reads; a message that has begun is read to its end.
        write_all(self._replies, data[:OPENING])
        self.ring()
        if len(data) > OPENING:
            write_all(self._replies, data[OPENING:])

    def ring(self) -> None:
        self._unheard = 0
        os.write(self._bell, b"!")


def serve(job: Job, inbox: Inbox, voice: Voice) -> None:
    """Run the tasks of one message after the other until the runner closes the pipe."""
    environment = dict(os.environ, **job.spec.environment)
    environment["PENSTOCK"] = job.mark
    sys.stdout, sys.stderr = _open_stream(1), _open_stream(2)
    functions = Functions(environment)
    root = os.open(job.spec.root, os.O_RDONLY)
    usage = Usage()
    while True:
        try:
            messages = inbox.wait()
        except EOFError:
            return
        for tasks in messages:
            usage.begin()
            for task in tasks:
                os.fchdir(root)
                reply = run_task(job, functions, task)
                voice.say(reply + usage.lap() + (os.lseek(1, 0, os.SEEK_END),))
            voice.ring()


def _open_stream(fd: int) -> TextIO:
    raw = io.FileIO(fd, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw), "utf-8", "backslashreplace", line_buffering=True)


def run_task(job: Job, functions: "Functions", message: Tuple[Any, ...]) -> Tuple[Any, ...]:
    """Run one task in its folder with its environment; say how it ended."""
    stage_name, data, env, rows, scratch = message
    stage = job.spec.stages[stage_name]
    planned = [Planned(*row) for row in rows]
    functions.set_environment(stage, env)
    if scratch:
        os.chdir(scratch)
    try:
        return tuple(_run(job, stage, functions, data, planned, scratch))
    finally:
        _flush()


def _run(
    job: Job,
    stage: Stage,
    functions: "Functions",
    data: Dict[str, Any],
    planned: List[Planned],
    scratch: Optional[str],
) -> Reply:
    products = {plan.name: plan.temporary for plan in planned}
    task = Task(data, stage, products=products, scratch=scratch, root=job.spec.root, job_folder=job.folder)
    try:
        result = _call(functions.get(stage), task)
        reply = Reply(result=_result_text(result), children=_children_text(task))
        return reply._replace(made=_take_products(planned, scratch)) if planned else reply
    except Verdict as verdict:
        return Reply("error", verdict.why, verdict.verdict)
    except Trouble as trouble:
        return Reply(trouble.outcome, str(trouble), trouble.verdict)
    except MemoryError as error:
        _trace(error)
        return Reply("out_of_memory", "MemoryError: the function asked for more memory than it may have")
    except BaseException as error:  # also SystemExit: a function must not end the worker
        _trace(error)
        return Reply("error", _sentence(error))


def _call(function: Callable[[Task], Any], task: Task) -> Any:
    """Call a stage's function; a process that it forked and that comes back must not speak for this one."""
    worker = os.getpid()
    try:
        return function(task)
    finally:
        if os.getpid() != worker:
            os._exit(CAME_BACK)


def _trace(error: BaseException) -> None:
    """Print the traceback from the function on."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_globals is globals():
        frames = frames.tb_next
    traceback.print_exception(type(error), error, frames)


def _sentence(error: BaseException) -> str:
    text = " ".join(str(error).split())
    name = type(error).__name__
    return (name + ": " + text if text else name)[:1000]


def _take_products(planned: List[Planned], scratch: Optional[str]) -> Tuple[Tuple[Any, ...], ...]:
    with explained():
        found = find_products(planned, scratch)
        made: List[Made] = secure_products(found)
        if is_heavy(found):
            for product in made:
                sync_tree(product.held)
    return tuple(tuple(product) for product in made)


def _result_text(result: Any) -> str:
    if result is None:
        return ""
    try:
        text = json.dumps(result, allow_nan=False, default=_plain, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Unfit("the function's result is not JSON: {}".format(error)) from error
    if len(text) > RESULT_LIMIT:
        raise Unfit(
            "the function's result has {} bytes as JSON, more than 64 kB; write a product".format(len(text))
        )
    return text


def _children_text(task: Task) -> str:
    if not task.children:
        return ""
    try:
        values = [json.dumps(value, allow_nan=False, default=_plain) for value, _ in task.children]
        text = json.dumps(task.children, allow_nan=False, default=_plain, separators=(",", ":"))
    except (TypeError, ValueError) as error:
        raise Unfit("the function expands into something that is not JSON: {}".format(error)) from error
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        raise Unfit("the function expands twice into {}".format(twice))
    if len(text) > CHILDREN_LIMIT:
        raise Unfit(
            "the function expands into {} units, which is more than one event holds".format(len(values))
        )
    return text


def _plain(value: Any) -> Any:
    """Turn scalars of numpy and times into what JSON knows."""
    for method in ("isoformat", "item"):
        if hasattr(value, method):
            return getattr(value, method)()
    raise TypeError("a value of type {} in it".format(type(value).__name__))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # the disk is full, or the function closed it
            continue


class Functions:
    """The stages' functions, imported and set up when first needed."""

    def __init__(self, environment: Dict[str, str]) -> None:
        self._environment = environment
        self._stage = ""  # whose environment is set
        self._ready: Dict[str, Callable[[Task], Any]] = {}

    def set_environment(self, stage: Stage, more: Optional[Dict[str, str]]) -> None:
        """Set the variables of a stage, and those of one task."""
        if stage.name == self._stage and not more:
            return
        os.environ.clear()
        os.environ.update(self._environment)
        os.environ.update(stage.environment)
        os.environ.update(more or {})
        self._stage = "" if more else stage.name

    def get(self, stage: Stage) -> Callable[[Task], Any]:
        function = self._ready.get(stage.name)
        if function is None:
            function = load(stage.python or "", stage.path)
            if stage.setup:
                load(stage.setup, stage.path)()
            self._ready[stage.name] = function
        return function


def load(reference: str, path: List[str]) -> Callable[..., Any]:
    """Import `package.module:function`, looking in `path` first."""
    for folder in reversed(path):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    module, _, name = reference.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        traceback.print_exc()
        raise Unfit("cannot import {}: {}".format(module, _sentence(error))) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise Unfit(
                "there is no function {} in {} ({})".format(name, module, getattr(found, "__file__", "?"))
            )
        found = getattr(found, part)
    return found


class Usage:
    """Seconds, CPU seconds and peak memory of one task after the other."""

    def __init__(self) -> None:
        self._wall = self._cpu = self._children = 0.0
        self._floor = 0
        try:
            self._peak = os.open("/proc/self/clear_refs", os.O_WRONLY)
        except OSError:
            self._peak = -1

    def begin(self) -> None:
        self._wall = time.monotonic()
        self._cpu = time.process_time()
        self._children = _children_cpu()

    def lap(self) -> Tuple[float, float, int]:
        """Return wall time, CPU and peak memory since the last lap."""
        wall, cpu, children = self._wall, self._cpu, self._children
        self.begin()
        rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if rss > self._floor + NEGLIGIBLE_BYTES:
            self._reset_peak()
        return self._wall - wall, self._cpu - cpu + self._children - children, rss

    def _reset_peak(self) -> None:
        if self._peak >= 0:
            try:
                os.write(self._peak, b"5")
            except OSError:
                self._peak = -1
        self._floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
