"""A forked worker: imports functions once, runs one Python task at a time."""

import importlib
import json
import os
import resource
import sys
import time
import traceback
from functools import partial
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from .digests import sync_tree
from .errors import LIMITS, TaskFailure, Unfit
from .messages import Inbox, pack, write_all
from .orphans import TASK
from .products import Made, Planned, explained, find_products, is_heavy, secure_products
from .scripts import Scripts
from .spec import Function, Job, Stage
from .surroundings import Environment, Surroundings
from .task import Task, Verdict

RESULT_LIMIT = 64 * 1024
CHILDREN_LIMIT = 900000  # the event that carries them must stay below 1 MB
UNHEARD_LIMIT = 32 * 1024
OPENING = 4 * 1024
NEGLIGIBLE_BYTES = 4 << 20
OURS = (__name__, Scripts.__module__)
CAME_BACK = 70  # what a process ends with that a function forked and did not end


class Reply(NamedTuple):
    """How a function ended; `result` and `children` are JSON texts."""

    outcome: str = "ok"
    why: str = ""
    verdict: str = ""
    result: str = ""
    children: str = ""
    made: Tuple[Tuple[Any, ...], ...] = ()
    left: bool = False  # something that the next task must not find: this worker ends
    code: Optional[int] = None  # the exit code of a script


class Voice:
    """Send replies one by one, and wake the runner when it should read them."""

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


def serve(job: Job, inbox: Inbox, voice: Voice, own: Dict[str, str]) -> None:
    """Run the tasks of one message after the other until the runner closes the pipe, or until one of them changed the worker."""
    surroundings = Surroundings(own[TASK])
    functions = Functions(
        dict(os.environ, **{**job.spec.environment, **own, "PENSTOCK": job.mark}), surroundings, job.spec.root
    )
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
                voice.say(reply + usage.lap() + (os.lseek(surroundings.log, 0, os.SEEK_END),))
                if reply.left:
                    voice.ring()
                    surroundings.end_children()
                    return
            voice.ring()


def run_task(job: Job, functions: "Functions", message: Tuple[Any, ...]) -> Reply:
    """Run one task in its folder with its environment; return how it ended."""
    stage_name, data, env, rows, scratch, argv = message
    stage = job.spec.stages[stage_name]
    planned = [Planned(*row) for row in rows]
    functions.environment.set(stage, env)
    if scratch:
        os.chdir(scratch)
    if argv:
        reply = _run_script(functions, argv)
    else:
        products = {plan.name: plan.temporary for plan in planned}
        task = Task(
            data, stage, products=products, scratch=scratch, root=job.spec.root, job_folder=job.folder
        )
        reply = _run(stage, functions, task)
    left = functions.surroundings.find_left()
    functions.surroundings.put_back()
    _flush()
    if left:
        functions.surroundings.say("the task left {}; its worker is replaced".format("; ".join(left)))
        return reply._replace(left=True)  # its products are looked at when nothing can change them any more
    return _take_products(reply, planned, scratch) if planned and reply.outcome == "ok" else reply


def _run(stage: Stage, functions: "Functions", task: Task) -> Reply:
    try:
        result = _call(functions.get(stage), task)
        return Reply(result=_result_text(result), children=_children_text(task))
    except Verdict as verdict:
        return Reply("error", _text(verdict.why), _text(verdict.verdict))
    except TaskFailure as trouble:
        return Reply(trouble.outcome, str(trouble), trouble.verdict)
    except MemoryError as error:
        functions.surroundings.put_back()
        _trace(error)
        return Reply("out_of_memory", "MemoryError: the function asked for more memory than it may have")
    except BaseException as error:  # also SystemExit: a function must not end the worker
        functions.surroundings.put_back()
        _trace(error)
        return Reply("error", _sentence(error))


def _run_script(functions: "Functions", argv: List[str]) -> Reply:
    def failed(error: BaseException) -> None:
        functions.surroundings.put_back()
        _trace(error)

    try:
        return Reply(code=_call(partial(functions.scripts.run, argv), failed))
    except TaskFailure as trouble:
        return Reply(trouble.outcome, str(trouble), trouble.verdict)


def _call(function: Callable[[Any], Any], given: Any) -> Any:
    """Call a function; a process that it forked and that returns here must not answer for this one."""
    worker = os.getpid()
    try:
        return function(given)
    finally:
        if os.getpid() != worker:
            os._exit(CAME_BACK)


def _trace(error: BaseException) -> None:
    """Print the traceback from the function on."""
    frames = error.__traceback__
    while frames and frames.tb_frame.f_globals["__name__"] in OURS:
        frames = frames.tb_next
    try:
        traceback.print_exception(type(error), error, frames)
    except BaseException as why:  # a part of the exception cannot be shown
        print("the traceback cannot be printed: {}".format(_name(why)), file=sys.stderr)
        traceback.print_tb(frames)


def _sentence(error: BaseException) -> str:
    text, name = _text(error), _name(error)
    if isinstance(error, OSError) and error.errno in LIMITS:
        text += ": " + LIMITS[error.errno]
    return (name + ": " + text if text else name)[:1000]


def _text(value: Any) -> str:
    """Return the text of a value on one line, also when its __str__ fails."""
    try:
        return " ".join(str(value).split())
    except BaseException as why:
        return "its text cannot be made ({})".format(_name(why))


def _name(error: BaseException) -> str:
    """Return the name of an exception's class, even when its class overrides names."""
    return " ".join(type.__dict__["__name__"].__get__(type(error)).split())


def _take_products(reply: Reply, planned: List[Planned], scratch: Optional[str]) -> Reply:
    try:
        with explained():
            found = find_products(planned, scratch)
            made: List[Made] = secure_products(found)
            if is_heavy(found):
                for product in made:
                    sync_tree(product.held)
    except TaskFailure as trouble:
        return Reply(trouble.outcome, str(trouble), trouble.verdict)
    except BaseException as error:  # folders a thousand deep
        _trace(error)
        return Reply("error", _sentence(error))
    return reply._replace(made=tuple(tuple(product) for product in made))


def _result_text(result: Any) -> str:
    if result is None:
        return ""
    try:
        text = json.dumps(result, allow_nan=False, default=_plain, separators=(",", ":"))
    except Exception as error:  # a value's own methods may raise anything
        raise Unfit("the function's result is not JSON: {}".format(_sentence(error))) from error
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
    except Exception as error:
        raise Unfit(
            "the function expands into something that is not JSON: {}".format(_sentence(error))
        ) from error
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
        except (OSError, ValueError):  # the disk is full
            continue


class Functions:
    """The stages' functions, imported and set up when first needed; what that changed is kept for all tasks."""

    def __init__(self, variables: Dict[str, str], surroundings: Surroundings, root: str) -> None:
        self.environment = Environment(variables)
        self.surroundings = surroundings
        self.scripts = Scripts(root)
        self._ready: Dict[str, Callable[[Task], Any]] = {}

    def get(self, stage: Stage) -> Callable[[Task], Any]:
        function = self._ready.get(stage.name)
        if function is None:
            before = dict(os.environ)
            function, *setups = [load(one, stage.path) for one in (stage.python, stage.setup) if one]
            for set_up in setups:
                set_up()
            self.environment.learn(before)
            self.surroundings.keep()
            self._ready[stage.name] = function
        return function


def load(function: Function, path: List[str]) -> Callable[..., Any]:
    """Import a function, looking in `path` first."""
    for folder in reversed(path):
        if folder not in sys.path:
            sys.path.insert(0, folder)
    module, name, own = function
    try:
        found: Any = importlib.import_module(module)
    except Exception as error:
        traceback.print_exc()
        raise Unfit("cannot import {}: {}".format(module, _sentence(error))) from error
    file = getattr(found, "__file__", None) or sys.executable
    if own and _place_of(file) not in [_place_of(os.path.join(folder, own)) for folder in path]:
        raise Unfit(
            "`import {}` finds {} instead of the campaign's {}, which needs another name".format(
                module, file, own
            )
        )
    if not hasattr(found, name):
        raise Unfit("there is no function {} in {} ({})".format(name, module, file))
    return getattr(found, name)


def _place_of(file: str) -> str:
    return os.path.realpath(os.path.dirname(file))


class Usage:
    """Seconds, CPU seconds and peak memory of one task after the other, with the processes that it waits for."""

    def __init__(self) -> None:
        self._wall = self._cpu = 0.0
        self._floor = self._waited_for = 0
        os.waitpid = self._wait  # the kernel tells the peak of a child only to who asks `wait4`
        try:
            self._peak = os.open("/proc/self/clear_refs", os.O_WRONLY)
        except OSError:
            self._peak = -1

    def begin(self) -> int:
        """Begin a lap; return the peak memory so far, in bytes."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        self._wall = time.monotonic()
        self._cpu = own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        return own.ru_maxrss * 1024

    def lap(self) -> Tuple[float, float, int]:
        """Return wall time, CPU and peak memory since the last lap."""
        wall, cpu = self._wall, self._cpu
        rss, waited_for = self.begin(), self._waited_for
        if rss > self._floor + NEGLIGIBLE_BYTES:
            self._reset_peak()
        self._waited_for = 0
        return self._wall - wall, self._cpu - cpu, max(rss, waited_for)

    def _wait(self, pid: int, options: int) -> Tuple[int, int]:
        found, status, usage = os.wait4(pid, options)
        self._waited_for = max(self._waited_for, usage.ru_maxrss * 1024)
        return found, status

    def _reset_peak(self) -> None:
        if self._peak >= 0:
            try:
                os.write(self._peak, b"5")
            except OSError:
                self._peak = -1
        self._floor = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
