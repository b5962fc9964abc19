"""Commands: their arguments and environment, the program's place, the start without a shell."""

import errno
import os
import sys
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, cast

from .errors import CROWDED, Unfit, Unwell, explain
from .inputs import Copies
from .orphans import TASK
from .products import Planned
from .share import VISIBLE
from .shell import spare_child
from .spawn import spawn
from .spec import Job, Stage


class References:
    """What the references of one task's argv and env stand for."""

    def __init__(
        self,
        job: Job,
        task: Dict[str, Any],
        planned: Sequence[Planned],
        *,
        scratch: Optional[str],
        copies: Optional[Copies],
        slot: int,
    ) -> None:
        self._job = job
        self._task = task
        self._planned = planned
        self._scratch = scratch
        self._copies = copies
        self._slot = slot

    def render(self, item: Any) -> str:
        """Return the text of an item of argv: a text, a reference, or a list of these to join."""
        if isinstance(item, str):
            return item
        if isinstance(item, dict):
            return self._look_up(cast("Dict[str, str]", item)["ref"])
        if isinstance(item, list):
            return "".join([self.render(part) for part in cast("List[Any]", item)])
        return str(item)

    def _look_up(self, name: str) -> str:
        kind, _, rest = name.partition(".")
        if kind == "product":
            for plan in self._planned:
                if plan.name == (rest or "product"):
                    return plan.temporary
        elif kind == "outdir" and self._planned:
            return os.path.dirname(self._planned[0].temporary)
        elif kind == "scratch" and self._scratch:
            return self._scratch
        elif kind == "program" and rest in self._job.spec.programs:
            return self._job.spec.programs[rest]
        elif kind == "python":
            return sys.executable
        elif kind == "input" and self._copies:
            return self._copies.of(rest)
        elif kind == "inputs_file" and rest in (self._task.get("inputs") or {}):
            return self._list_file(rest)
        raise Unfit("{{{}}} has no value in this task".format(name))

    def _list_file(self, stage: str) -> str:
        inputs: Any = self._task["inputs"][stage]
        if isinstance(inputs, dict):
            return os.path.join(self._job.folder, cast("Dict[str, str]", inputs)["list"])
        folder = os.path.join(self._job.folder, "tmp")
        path = os.path.join(folder, "{}.{}.{}.txt".format(self._job.tag, self._slot, stage.replace("/", "_")))
        if any("\n" in name for name in inputs):
            raise Unfit(
                "an input of stage {} has a newline in its name and cannot stand in a list file".format(stage)
            )
        try:
            os.makedirs(folder, exist_ok=True)
            with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.writelines(name + "\n" for name in inputs)
        except OSError as error:
            raise explain(error, "cannot write {}".format(path)) from error
        return path


class Launcher:
    """Start commands in their own process group, with their output in a log."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._base = dict(os.environ)
        self._base.update(job.spec.environment)
        self._base["PENSTOCK"] = job.mark
        self._bases: Dict[Tuple[str, int, Optional[str]], Dict[str, str]] = {}
        self._places: Dict[Tuple[str, str], str] = {}
        self._null = os.open(os.devnull, os.O_RDWR)
        self._root = os.open(job.spec.root, os.O_RDONLY)

    def environment(
        self, stage: Stage, slot: int, share: Dict[str, str], more: Optional[Dict[str, str]]
    ) -> Dict[str, str]:
        place = (stage.name, slot, share.get(VISIBLE))
        base = self._bases.get(place)
        if base is None:
            base = self._bases[place] = dict(self._base, **share)
            base.update(stage.environment)
            base[TASK] = self._job.mark_slot(slot, worker=False)
        return dict(base, **more) if more else base

    def start(self, argv: Sequence[str], env: Dict[str, str], log: int, folder: Optional[str]) -> int:
        """Start a command in `folder` (None: the root); return its pid, which is its group too."""
        if not argv or not argv[0]:
            raise Unfit("the command is empty")
        place = self._find(argv[0], env, folder)
        try:
            if folder:
                os.chdir(folder)
            return spawn(place, spare_child(argv), env, null=self._null, log=log)
        except ValueError as error:
            raise Unfit("the command cannot be started: {}".format(error)) from error
        except OSError as error:
            raise self._refused(error, place, argv) from error
        finally:
            if folder:
                os.chdir(self._root)

    def _find(self, program: str, env: Dict[str, str], folder: Optional[str]) -> str:
        if "/" in program:
            inside = folder is not None and os.path.exists(os.path.join(folder, program))
            return program if inside else os.path.join(self._job.spec.root, program)
        where = env.get("PATH", os.defpath)
        place = self._places.get((program, where))
        if place is None:
            place = next(_candidates(program, where), None)
            if place is None:
                raise Unfit("the program {} was not found in {}".format(program, where))
            self._places[program, where] = place
        return place

    def _refused(self, error: OSError, place: str, argv: Sequence[str]) -> Exception:
        if error.errno in CROWDED:
            return Unwell("no process can be started: {}".format(CROWDED[error.errno]))
        if error.errno == errno.E2BIG:
            return Unfit("the command line of {} is too long; pass its inputs in a list file".format(argv[0]))
        if error.errno == errno.ENOENT and os.path.exists(place):
            return Unfit("the program {} names an interpreter that does not exist".format(place))
        if error.errno == errno.ENOEXEC:
            return Unfit("{} is not a program; does its first line name an interpreter (#!)?".format(place))
        return Unfit("the program {} cannot be started: {}".format(place, error.strerror))


def _candidates(program: str, where: str) -> Iterator[str]:
    for folder in where.split(os.pathsep):
        path = os.path.join(folder or ".", program)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            yield os.path.abspath(path)
