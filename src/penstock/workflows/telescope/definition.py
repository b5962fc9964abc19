"""The definition of a telescope's campaign: the stages of a night, with the programs of a profile."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.workflows.setup.definition import table
from penstock.workflows.telescope.profiles import CALIBRATED, PROFILES, RUN, SUBRUN, Profile

Stages = dict[str, dict[str, Any]]

UNITS = "penstock.workflows.telescope.units"
TYPES = {"run": "int", "subrun": "int"}
OF_RUN = {
    "kind": "str", "type": "str", "seq": "int", "parent": "int", "source": "str", "ra": "float", "dec": "float",
    "n_subruns": "int", "drs4_run": "int", "calibration_run": "int",
}  # fmt: skip
CHOSEN = ("cleaning", "cleaning_path", "model", "model_path")
BY_DATE = ("time_sampling", "systematic_correction")
PEDESTAL, CALIBRATION, DATA = "kind == 'pedestal'", "kind == 'calibration'", "kind == 'data'"
ARRAYS = {"array": "run"}
SEAL = "closed/{night}/NightFinished"

OF_UNITS = """Nights, their runs, and the subruns of these, as telescope.toml says where they are found.
# `penstock telescope plan` shows what comes of them."""
OF_CALIBRATION = "Sequence 1 of a night: its calibration. All subruns wait for what it makes."
OF_SUBRUN = """A subrun: raw events to images, to parameters, to the numbers of the data check, one after the other in
# one place. What failed is tried again from the step that failed, and by itself. Known errors have rules: see
# docs/howto/retries.md."""
OF_RUN_WISE = "A run, when all its subruns are done or vetoed."
OF_CLOSING = "The end of a run, and of a night: docs/howto/closing.md."
OF_FINAL = "Where the last products are, once all is well with them: docs/howto/moving.md."
OF_WEB = "What others see of a night, once it is closed: docs/howto/publishing.md."
OF_MAIL = "Who is told of failures, and of a night that is not closed by its hour: docs/howto/unattended.md."
OF_SITE = "Where jobs run; docs/howto/clusters.md lists the keys: queue, partitions, set-up lines, limits."


@dataclass(frozen=True, slots=True)
class Shape:
    """What a campaign of nights has."""

    profile: str = "toy"
    telescope: str = "LST1"
    dl1ab: bool = True
    dl2: bool = True
    calibration: bool = True  # is made; else products that are there already are used
    gain_selection: bool = True  # is awaited, where the profile has it
    pedestal_ids: bool = True
    dl2_each: str | None = None  # "run" or "subrun"; None: as the profile does
    not_before: str = "08:00 next day"
    deadline: str | None = None
    mail: tuple[str, ...] = ()
    server: str = "localhost"
    final: str | None = None  # the folder of what is kept of runs and nights, once they are closed
    web: str | None = None  # where data checks are shown: a folder, or HOST:FOLDER
    scheduler: str | None = None
    jobs: int | None = None  # subruns that are queued and running at once

    @property
    def programs(self) -> Profile:
        return PROFILES[self.profile]

    @property
    def per_run(self) -> bool:
        """Whether DL2 is made of runs."""
        return self.programs.per_run if self.dl2_each is None else self.dl2_each == "run"

    @property
    def label(self) -> str:
        """The telescope in names of files.

        >>> Shape(telescope="LST1").label
        'LST-1'
        """
        return re.sub(r"(?<=[A-Za-z])(?=\d)", "-", self.telescope, count=1)

    @property
    def files(self) -> dict[str, str]:
        """The tables and files of the profile that this campaign has."""
        left_out = {name for name in ("gain_selection", "pedestal_ids") if not getattr(self, name)}
        if self.calibration:
            left_out |= {"drs4_pedestal", "charge_calibration"}
        return {
            name: path.replace("{label}", self.label)
            for name, path in self.programs.files.items()
            if name not in left_out
        }


def render_definition(name: str, shape: Shape) -> Iterator[str]:
    """Give the tables of `penstock.toml`."""
    campaign = {"name": name, "levels": ["night", "run", "subrun"], "site": shape.scheduler, "fair": "night"}
    yield table("campaign", campaign)
    yield from _units(shape)
    if shape.programs.params:
        yield table("params", shape.programs.params)
    for stage, keys in _stages(shape).items():
        yield table(f"stage.{stage}", keys, note=NOTES.get(stage, ""))
    moved = _moved(shape)
    of_run, of_night = ([{"move": name}] if name in moved else [] for name in ("run", "night"))
    yield table("close.run", {"steps": ["verify", *of_run, "provenance", "seal"]}, note=OF_CLOSING)
    merge = [{"merge": "night_check"}] if shape.dl1ab else []
    shown = [{"publish": "web"}] if shape.web else []
    steps = ["verify", *merge, *of_night, "provenance", *shown, {"seal": SEAL}]
    yield table("close.night", {"steps": steps, "not_before": shape.not_before, "deadline": shape.deadline})
    for name, stages in moved.items():
        yield table(f"move.{name}", {"to": shape.final, "files": stages}, note=OF_FINAL)
    if shape.web:
        yield from _web(shape, shape.web)
    if shape.mail:
        address = {"to": [*shape.mail], "from": shape.mail[0], "server": shape.server}
        yield table("notify.mail", {**address, "on": ["failure", "recovery", "deadline"]}, note=OF_MAIL)
    if shape.scheduler:
        yield table(f"site.{shape.scheduler}", {"scheduler": shape.scheduler}, note=OF_SITE)


def _moved(shape: Shape) -> dict[str, list[str]]:
    """Give the stages whose products go to the final folder with a run, and with a night."""
    made, stays = _structure(shape), {"night_check", *shape.programs.found_by_folder}
    last = {"merge_dl1", "merge_muons", "merge_datacheck", "dl1_to_dl2" if shape.per_run else "merge_dl2"}
    found = {
        "run": [name for name in made if name in last - stays],
        "night": [name for name in made if name == "night_check"],
    }
    return {name: stages for name, stages in found.items() if stages and shape.final}


def _web(shape: Shape, place: str) -> Iterator[str]:
    """Give what is shown of a night, and where."""
    host, _, folder = place.rpartition(":")
    shown = {"drs4_pedestal": "drs4", "charge_calibration": "calib"} if shape.calibration else {}
    shown |= {"merge_datacheck": "dl1", "night_check": "dl1"} if shape.dl1ab else {}
    files = [{"stage": stage, "to": f"{name}/{{night}}/"} for stage, name in shown.items()]
    yield table("publish.web", {"to": folder, "site": "web" if host else None, "files": files}, note=OF_WEB)
    if host:
        yield table("site.web", {"host": host})


def _units(shape: Shape) -> Iterator[str]:
    complete = {"night": "not_before 08:00 next day", "run": "count n_subruns"}
    own = {"path": None, "pedestal_ids": "str" if "pedestal_ids" in shape.files else None}
    yield table(
        "units",
        {"python": f"{UNITS}:subruns", "types": {**TYPES, **own}, "complete": complete},
        note=OF_UNITS,
    )
    drive = {"drive": "str"} if "drive" in shape.files else {}
    night = {"date": "str", "n_data": "int", "summary": "str", **drive}
    yield table("units.night", {"python": f"{UNITS}:nights", "types": night})
    files = {name: "str" for name in BY_DATE if name in shape.files}
    made = (
        ("drs4_r0", "pedcal_r0") if shape.calibration else ("drs4_pedestal_file", "charge_calibration_file")
    )
    fields = {**OF_RUN, **files, **dict.fromkeys((*made, *CHOSEN), "str")}
    yield table("units.run", {"python": f"{UNITS}:runs", "types": {"run": "int", **fields}})


def _stages(shape: Shape) -> Stages:
    """Give the keys of all stages, in order."""
    found: Stages = {}
    for name, keys in _structure(shape).items():
        own = _filled(shape.programs.stages[name], shape)
        found[name] = {**keys, **{key: value for key, value in own.items() if value is not None}}
    if extra := [word for key, word in shape.programs.optional.items() if key in shape.files]:
        found["r0_to_dl1"]["command"] = [*found["r0_to_dl1"]["command"], *extra]
    return found


def _structure(shape: Shape) -> Stages:
    """Give what a night is: the level of each stage, what it waits for, and what it is for."""
    pedestal, charge = (
        {"stage": stage, "key": ["{night}", f"{{{run}}}"]}
        for stage, run in (("drs4_pedestal", "drs4_run"), ("charge_calibration", "calibration_run"))
    )
    made: Stages = {}
    if shape.calibration:
        made["drs4_pedestal"] = {"each": "run", "where": PEDESTAL}
        made["charge_calibration"] = {"each": "run", "where": CALIBRATION, "after": [pedestal]}
    made["r0_to_dl1"] = {
        "each": "subrun", "after": [pedestal, charge] if shape.calibration else None, "max_running": shape.jobs,
        "order": "newest", **ARRAYS, "retry": {"out_of_memory": {"times": 2, "scale": 2}},
    }  # fmt: skip
    if shape.dl1ab:
        made["dl1ab"] = {
            "each": "subrun",
            "with": "r0_to_dl1",
            "changed": "redo",
            "rules": [_unchosen("cleaning")],
        }
        made["datacheck"] = {"each": "subrun", **shape.programs.checked, "changed": "redo"}
        made |= _of_runs(shape)
    made["merge_muons"] = {
        "each": "run",
        "where": DATA,
        "after": [{"stage": "r0_to_dl1", "products": ["muons"]}],
    }
    if shape.dl1ab:
        made["night_check"] = {
            "each": "night",
            "where": "n_data > 0",
            "after": [{"stage": "merge_datacheck", "products": ["product"]}],
        }
    return made


def _of_runs(shape: Shape) -> Stages:
    """Give the merges of a run, and DL2."""
    dl2 = {"changed": "redo", "rules": [_unchosen("model")]}
    made: Stages = {
        "merge_dl1": {"each": "run", "where": DATA, "after": ["dl1ab"], "changed": "redo"},
        "merge_datacheck": {
            "each": "run", "where": DATA, "after": ["datacheck"], "changed": "redo",
        },
    }  # fmt: skip
    if shape.dl2 and shape.per_run:
        made["dl1_to_dl2"] = {"each": "run", "where": DATA, "after": ["merge_dl1"], **dl2}
    elif shape.dl2:
        made["dl1_to_dl2"] = {"each": "subrun", "after": ["dl1ab"], **ARRAYS, **dl2}
        made["merge_dl2"] = {"each": "run", "where": DATA, "after": ["dl1_to_dl2"], "changed": "redo"}
    return made


def _unchosen(kind: str) -> dict[str, str]:
    why = f"no {kind} is chosen for its run: see `penstock telescope plan`"
    return {"name": f"no-{kind}", "where": f"{kind} == ''", "verdict": "veto", "why": why}


NOTES: Mapping[str, str] = {
    "drs4_pedestal": OF_CALIBRATION, "r0_to_dl1": OF_SUBRUN, "merge_dl1": OF_RUN_WISE,
}  # fmt: skip


def _filled(value: Any, shape: Shape) -> Any:
    """Fill in what a profile leaves open."""
    if isinstance(value, str):
        calibrated = CALIBRATED["made" if shape.calibration else "existing"]
        words = {
            "{label}": shape.label,
            "=DRS4": f"={calibrated['drs4']}",
            "=CHARGE": f"={calibrated['charge']}",
            "{inputs.DL1}": "{inputs.merge_dl1}" if shape.per_run else "{inputs.dl1ab}",
            "UNIT": RUN if shape.per_run else SUBRUN,
        }
        for word, filled in words.items():
            value = value.replace(word, filled)
        return value
    if isinstance(value, Mapping):
        return {key: _filled(each, shape) for key, each in value.items()}  # type: ignore[reportUnknownVariableType]
    return [_filled(each, shape) for each in value] if isinstance(value, list) else value  # type: ignore[reportUnknownVariableType]
