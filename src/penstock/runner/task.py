"""What a Python stage is given."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Dict, Iterator, List, NoReturn, Optional
from typing import Mapping as MappingType

from .inputs import named_inputs
from .spec import Stage
from .values import typed_fields, typed_key


class Verdict(Exception):
    """Raised by `Task.fail` and `Task.veto`: the attempt ends with this verdict, without a traceback."""

    def __init__(self, verdict: str, why: str) -> None:
        super().__init__(why)
        self.verdict = verdict
        self.why = why


class Inputs(Mapping):  # type: ignore[type-arg]
    """The upstream products of a task, by stage; long lists are read when asked for."""

    def __init__(self, inputs: Dict[str, Any], *, root: str, job_folder: str) -> None:
        self._inputs = inputs
        self._root = root
        self._job_folder = job_folder

    def __getitem__(self, stage: str) -> List[Path]:
        given: Any = self._inputs[stage]
        return [Path(os.path.join(self._root, name)) for name in named_inputs(given, self._job_folder)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._inputs)

    def __len__(self) -> int:
        return len(self._inputs)


class Task:
    """One task, as its function sees it.

    >>> def spectrogram(task):                                  # doctest: +SKIP
    ...     power = compute(task.fields["path"], **task.params)
    ...     numpy.save(str(task.product()), power)
    ...     return {"frames": len(power)}
    """

    __slots__ = ("_data", "_job_folder", "_products", "_root", "_stage", "children", "scratch")

    def __init__(
        self,
        data: Dict[str, Any],
        stage: Stage,
        *,
        products: Optional[Dict[str, str]] = None,
        scratch: Optional[str] = None,
        root: str = "",
        job_folder: str = "",
    ) -> None:
        self.children: List[List[Any]] = []
        self.scratch = Path(scratch) if scratch else None
        self._data = data
        self._stage = stage
        self._products = products or {}
        self._root = root
        self._job_folder = job_folder

    @property
    def missing(self) -> List[str]:
        """The members that a group goes without, where its stage says `members = "done"`."""
        return list(self._data.get("missing") or [])

    @property
    def key(self) -> Any:
        """The values that name the unit, coarse to fine, as a tuple."""
        return tuple(typed_key(self._stage, self._data.get("key") or [], self._data.get("fields") or {}))

    @property
    def fields(self) -> Dict[str, Any]:
        """The unit's fields; times are aware datetimes."""
        return typed_fields(self._stage, self._data.get("fields") or {})

    @property
    def params(self) -> Dict[str, Any]:
        """The stage's parameters; a task may change its copy."""
        return dict(self._stage.params)

    @property
    def inputs(self) -> MappingType[str, List[Path]]:
        """The upstream products of this task: stage → paths."""
        return Inputs(self._data.get("inputs") or {}, root=self._root, job_folder=self._job_folder)

    def input(self, stage: str) -> Path:
        """Return the one product of an upstream stage; ValueError when there is not exactly one."""
        paths = self.inputs[stage]
        if len(paths) != 1:
            raise ValueError(
                "stage {} gives {} inputs, not one; use task.inputs[{!r}]".format(stage, len(paths), stage)
            )
        return paths[0]

    def product(self, name: str = "product") -> Path:
        """Return where to write a product: a temporary name that keeps the file's own name.

        Raises ValueError when the stage has no product of that name.
        """
        if name not in self._products:
            known = ", ".join(sorted(self._products)) or "none"
            raise ValueError("the stage has no product {!r}; it has: {}".format(name, known))
        return Path(self._products[name])

    def expand(self, **fields: Any) -> None:
        """Add a unit below this one: its value at the level that the stage expands, and its fields.

        Raises ValueError when the stage expands no level, or the value for that level is missing.

        >>> task.expand(roi=3, area=12.5)                        # doctest: +SKIP
        """
        level = self._stage.expands
        if level is None:
            raise ValueError("stage {} expands no level".format(self._stage.name))
        if level not in fields:
            raise ValueError("expand needs a value for the level {}: task.expand({}=…)".format(level, level))
        self.children.append([fields.pop(level), fields])

    def log(self, text: str) -> None:
        """Add a line to the task's log."""
        print(text, flush=True)

    def fail(self, why: str) -> NoReturn:
        """End the task as failed for good: it is not tried again."""
        raise Verdict("permanent", why)

    def veto(self, why: str) -> NoReturn:
        """End the task as not to be processed, with the reason."""
        raise Verdict("veto", why)
