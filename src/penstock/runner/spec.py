"""The spec of one job: spec.json, frozen."""

import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Pattern, Sequence, Tuple

from .sealed import unseal


class Rule(NamedTuple):
    """A rule: what an exit code or a line of the log says about a failed attempt."""

    exit: Optional[int]
    log: Optional[Pattern[str]]
    verdict: str
    why: str
    name: str


class Function(NamedTuple):
    """A Python function: its module, its name there, and the campaign's file that has it; an installed one has none."""

    module: str
    name: str
    file: str


class Stage(NamedTuple):
    """How the tasks of one stage are run."""

    name: str
    id: int
    python: Optional[Function]
    setup: Optional[Function]
    path: List[str]
    levels: List[str]
    types: Dict[str, str]
    params: Dict[str, Any]
    ok_codes: List[int]
    success_log: Optional[Pattern[str]]
    rules: List[Rule]
    limit_s: Optional[float]
    scratch: bool
    scratch_at: str  # a folder of the node, with variables; empty: in the campaign
    copy_inputs: bool
    templates: Dict[str, str]
    environment: Dict[str, str]
    expands: Optional[str]
    cpus: int
    gpus: int
    sent: List[str]  # files of the campaign that came here to be run
    built: List[str]  # its programs that were built here

    @property
    def has_private_folder(self) -> bool:
        """Return whether each attempt has a folder of its own, to work in or for copies of its inputs."""
        return self.scratch or self.copy_inputs

    @property
    def reads_log(self) -> bool:
        """Return whether the log of a failed attempt is searched."""
        return bool(self.rules) and any(rule.log for rule in self.rules)


class Spec(NamedTuple):
    """One job: what its elements share."""

    token: str
    root: str
    elements: int
    feed: bool
    offsets: List[int]
    walltime_s: Optional[float]
    idle_s: float
    beat_s: float
    grace_s: float
    environment: Dict[str, str]
    stages: Dict[str, Stage]
    programs: Dict[str, str]  # name → executable that was built here
    store: str = ""  # the folder of inputs that were sent here, by their digests
    variables: Sequence[str] = ()  # whose values are recorded
    versions: Sequence[Tuple[str, List[str]]] = ()  # programs, and the commands that print their versions

    def programs_of(self, stage: Stage) -> List[str]:
        """Return where those programs of a stage are that were sent or built here."""
        sent = [os.path.join(self.root, name) for name in stage.sent]
        return sent + [self.programs[name] for name in stage.built]


class Job(NamedTuple):
    """One life of one element of a job."""

    folder: str
    spec: Spec
    element: int
    life: int

    @property
    def tag(self) -> str:
        return "{}.{}.{}".format(self.spec.token, self.element, self.life)

    @property
    def mark(self) -> str:
        return "{}/{}/{}".format(self.spec.token, self.element, self.life)

    def mark_slot(self, number: int, *, worker: bool) -> str:
        """Return the mark of the processes of a slot's attempts, which are one at a time."""
        return "{}/{}{}".format(self.mark, number, "w" if worker else "")

    def file(self, suffix: str) -> str:
        return os.path.join(self.folder, "{}.{}".format(self.element, suffix))


def load_spec(folder: str) -> Spec:
    """Read JOBDIR/spec.json; an OSError, KeyError or ValueError means that it is not one."""
    with open(os.path.join(folder, "spec.json"), "rb") as file:
        data = unseal(file.read())
    if data is None:
        raise ValueError("it is damaged")
    if data["format"] != 1:
        raise ValueError("spec.json has format {}, this runner reads format 1".format(data["format"]))
    return Spec(
        token=data["token"],
        root=data["root"],
        elements=data.get("elements", 1),
        feed=bool(data.get("feed")),
        offsets=data.get("offsets") or [0],
        walltime_s=data.get("walltime_s"),
        idle_s=data.get("idle_s", 30),
        beat_s=data.get("beat_s", 60),
        grace_s=data.get("grace_s", 10),
        environment=data.get("environment") or {},
        stages={name: parse_stage(name, stage) for name, stage in data["stages"].items()},
        programs=data.get("programs") or {},
        variables=data.get("variables") or [],
        versions=_sorted(data.get("versions") or {}),
        store=data.get("store") or "",
    )


def _sorted(versions: Dict[str, List[str]]) -> List[Tuple[str, List[str]]]:
    return sorted(versions.items())


def parse_stage(name: str, data: Dict[str, Any]) -> Stage:
    rules: List[Dict[str, Any]] = data.get("rules") or []
    return Stage(
        name=name,
        id=data["id"],
        python=_function(data.get("python")),
        setup=_function(data.get("setup")),
        path=data.get("path") or [],
        levels=data.get("levels") or [],
        types=data.get("types") or {},
        params=data.get("params") or {},
        ok_codes=data.get("ok_codes") or [0],
        success_log=_pattern(data.get("success_log")),
        rules=[_rule(rule) for rule in rules],
        limit_s=data.get("limit_s"),
        scratch=bool(data.get("scratch")),
        scratch_at=data.get("scratch_at") or "",
        copy_inputs=bool(data.get("copy_inputs")),
        templates=data.get("templates") or {},
        environment=data.get("environment") or {},
        expands=data.get("expands"),
        cpus=data.get("cpus") or 0,
        gpus=data.get("gpus") or 0,
        sent=data.get("sent") or [],
        built=data.get("built") or [],
    )


def _function(data: Any) -> Optional[Function]:
    """Return a function; it is given by its reference alone where an import finds it."""
    if not data:
        return None
    reference, file = (data, "") if isinstance(data, str) else (data["function"], data["file"])
    module, _, name = reference.partition(":")
    return Function(module, name, file)


def _rule(data: Dict[str, Any]) -> Rule:
    name = data.get("name") or ""
    return Rule(data.get("exit"), _pattern(data.get("log")), data["verdict"], data.get("why") or "", name)


def _pattern(text: Optional[str]) -> Optional[Pattern[str]]:
    return re.compile(text, re.MULTILINE) if text else None
