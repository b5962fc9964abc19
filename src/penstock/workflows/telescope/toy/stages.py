"""The stages of the toy chain, as the runner calls them: each takes a task, reads HDF5 files and writes some.

Raw files are those of the unit (`path` or `paths` of its fields). All others are found among the products of upstream stages
by what they are, whatever stages are called; what is not among them is named by a field or a parameter, with placeholders:
`pedestals`, `calibration`, `models`. `cleaning` is a table of `picture`, `boundary` (pe) and `neighbours`.

A file that will never do fails its task for good, in one sentence. Nothing to do is no failure: without events, flat fields or
rings tables are empty.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.errors import DefinitionError
from penstock.workflows.telescope.toy.faults import Unusable

if TYPE_CHECKING:
    from penstock.runner.task import Task
    from penstock.workflows.telescope.toy.cleaning import TailCuts

EVENTS, SEED = 3000, 1  # of each particle, that forests are trained on


def setup() -> None:
    """Load the numerical libraries once a worker."""
    import penstock.workflows.telescope.toy.reconstruction  # noqa: F401


def drs4_pedestal(task: Task) -> dict[str, Any]:
    """Measure the pedestals of all capacitors from a run in the dark; product `product`."""
    from penstock.workflows.telescope.toy.pedestals import make_pedestals

    with _failing(task):
        made = make_pedestals(_raw(task), task.product())
    return {"events": made.events, "rms": float(made.rms.mean())}


def charge_calibration(task: Task) -> dict[str, Any]:
    """Measure gains from a run of flat fields and pedestals, after `drs4_pedestal`; product `product`."""
    from penstock.workflows.telescope.toy.gains import make_calibration

    with _failing(task):
        made = make_calibration(_raw(task), _needed(task, "drs4_pedestal", "pedestals"), task.product())
    return {"gain": float(made.gain[made.usable].mean()), "unusable": int((~made.usable).sum())}


def r0_to_dl1(task: Task) -> dict[str, Any]:
    """Calibrate the raw events of a subrun; products `dl1` (images), `muons` (rings), and `interleaved` (pedestals and flat
    fields).
    """
    from penstock.workflows.telescope.toy.dl1a import calibrate, is_cosmic
    from penstock.workflows.telescope.toy.files import write_file
    from penstock.workflows.telescope.toy.gains import read_calibration
    from penstock.workflows.telescope.toy.muons import find_muons

    with _failing(task):
        (path,) = _raw(task)
        images, about = calibrate(path, read_calibration(_needed(task, "charge_calibration", "calibration")))
    cosmic = is_cosmic(images.events)
    data, others = images.some(cosmic), images.some(~cosmic)
    muons = find_muons(data)
    write_file(task.product("dl1"), "dl1", about, data.arrays())
    write_file(task.product("muons"), "muons", about, muons)
    write_file(task.product("interleaved"), "interleaved", about, others.arrays())
    return {"events": len(data.events), "interleaved": len(others.events), "muons": len(muons["events"])}


def dl1ab(task: Task) -> dict[str, Any]:
    """Clean the images of a subrun and describe them; product `product` has no images."""
    from penstock.workflows.telescope.toy.camera import camera
    from penstock.workflows.telescope.toy.dl1a import read_images
    from penstock.workflows.telescope.toy.files import write_file
    from penstock.workflows.telescope.toy.parameters import parametrise

    with _failing(task):
        images, about = read_images(_needed(task, "dl1", "dl1"))
        cuts = _cuts(task)
    parameters = parametrise(camera(), images.image, images.peak_time, cuts)
    about |= {each.name: getattr(cuts, each.name) for each in fields(cuts)}
    truth = {} if images.truth is None else {"simulation": images.truth}
    write_file(task.product(), "dl1ab", about, {"events": images.events, "parameters": parameters} | truth)
    return {"events": len(parameters), "cleaned": int((parameters["morphology_n_pixels"] > 0).sum())}


def datacheck(task: Task) -> dict[str, Any]:
    """Measure whether all is well in a subrun, from the products of `r0_to_dl1`; products `product`, and `pictures` (a folder
    of maps) if the stage has it.
    """
    from penstock.workflows.telescope.toy.check import measure
    from penstock.workflows.telescope.toy.dl1a import read_images
    from penstock.workflows.telescope.toy.files import open_file, read

    with _failing(task):
        data, about = read_images(_needed(task, "dl1", "dl1"))
        others, _ = read_images(_needed(task, "interleaved", "interleaved"), "interleaved")
        with open_file(_needed(task, "muons", "muons"), "muons") as file:
            muons = {name: read(file, name) for name in ("events", "rings")}
    made = measure(data, others, muons, about)
    made.write(task.product())
    if pictures := _product_if_any(task, "pictures"):
        from penstock.workflows.telescope.toy.page import draw_maps

        draw_maps(made, pictures)
    told = ("rate", "pedestal_mean", "pedestal_rms", "flatfield_mean", "ring_radius")
    return {name: _plain(made.rows[name][0]) for name in ("events", "muons", *told)}


def dl1_to_dl2(task: Task) -> dict[str, Any]:
    """Reconstruct the events of a subrun, or of all subruns of a run; product `product`."""
    import numpy as np

    from penstock.workflows.telescope.toy.files import about_of, check_camera, open_file, read, write_file
    from penstock.workflows.telescope.toy.forests import Models
    from penstock.workflows.telescope.toy.reconstruction import reconstruct

    with _failing(task):
        forests = _needed(task, "models", "models")
        models, found = Models.read(forests), _found(task, "dl1ab")
        if not found:
            raise Unusable(
                f"{_name(task)} has no image parameters; name the stage that makes them in `after`"
            )
        parts: list[dict[str, Any]] = []
        for path in found:
            with open_file(path, "dl1ab") as file:
                about = about_of(file)
                parts.append({name: read(file, name) for name in file})
            check_camera(path, about, forests, models.about)
    made = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    made["dl2"] = reconstruct(made["parameters"], models)
    if len(found) > 1:
        about = {name: value for name, value in about.items() if name not in ("subrun_id", "start")}
        about |= {"subruns": len(found)}
    write_file(task.product(), "dl2", about, made)
    gammas = int((made["dl2"]["gammaness"] > 0.5).sum())
    return {"events": len(made["dl2"]), "gammas": gammas}


def train(task: Task) -> dict[str, Any]:
    """Train the forests; product `product`.

    The sample is what upstream stages give of simulated events (DL1b), or `params.events` gammas and as many protons that
    are made up, from `params.seed`. Needs scikit-learn.
    """
    from penstock.workflows.telescope.toy import training

    seed = int(task.params.get("seed", SEED))
    with _failing(task):
        found = _found(task, "dl1ab")
        events = int(task.params.get("events", EVENTS))
        sample = training.read_sample(found) if found else training.simulate_sample(events, seed)
        made = training.train(*sample, seed=seed)
    made.write(task.product())
    return {"gammas": made.about["gammas"]}


def merge(task: Task) -> dict[str, Any]:
    """Merge what the subruns of a run have: `params.kind` is dl1, dl1ab, muons, interleaved, datacheck or dl2.

    Product `product`; of the data check also `page` (HTML) and `pictures` (a folder beside it) if the stage has them.
    """
    from penstock.workflows.telescope.toy.merging import MERGED, merge_files

    kind = task.params.get("kind", "")
    with _failing(task):
        if kind not in (*MERGED, "datacheck"):
            known = ", ".join((*MERGED, "datacheck"))
            raise Unusable(f"merge needs params.kind: one of {known}, not {kind!r}")
        found = _found(task, kind)
        if kind == "datacheck":
            return _merge_checks(task, found)
        number = merge_files(found, kind, task.product())
    return {"events": number, "subruns": len(found)}


def _merge_checks(task: Task, found: list[Path]) -> dict[str, Any]:
    from penstock.workflows.telescope.toy.check import merge_checks

    made = merge_checks(found)
    made.write(task.product())
    if page := _product_if_any(task, "page"):
        from penstock.workflows.telescope.toy.page import write_check_page

        write_check_page(page, made, f"Data check of {_name(task)}", folder=task.product("pictures"))
    return {"events": int(made.rows["events"].sum()), "subruns": len(made.rows)}


def _raw(task: Task) -> list[Path]:
    given = task.fields
    return [Path(each) for each in given.get("paths") or [given["path"]]]


def _found(task: Task, kind: str) -> list[Path]:
    """Give the upstream products that are of a kind."""
    from penstock.workflows.telescope.toy.files import kind_of

    every = (path for paths in task.inputs.values() for path in paths)
    given = dict.fromkeys(every)  # products of a stage stand there twice: by the stage, and each by its name
    return [path for path in given if path.suffix in (".h5", ".hdf5") and kind_of(path) == kind]


def _needed(task: Task, kind: str, name: str) -> Path:
    """Give the one file of a kind: an upstream product, else what a field or a parameter names."""
    from penstock.units import Template
    from penstock.workflows.telescope.toy.files import KINDS

    found = _found(task, kind)
    if len(found) == 1:
        return found[0]
    if found:
        raise Unusable(f"{_name(task)} is given {len(found)} files with {KINDS[kind]}, and needs one of them")
    if named := task.fields.get(name) or task.params.get(name):
        return Path(Template.parse(str(named)).render(task.fields, in_path=True))
    raise Unusable(
        f"{_name(task)} has no {KINDS[kind]}; name the stage that makes it in `after`, or params.{name}"
    )


def _product_if_any(task: Task, name: str) -> Path | None:
    """Give the place of a product that a stage may go without."""
    try:
        return task.product(name)
    except ValueError:
        return None


def _plain(value: Any) -> float | int | None:
    """Give a number of Python; what is not known is None."""
    plain = value.item()
    return None if plain != plain else plain


def _cuts(task: Task) -> TailCuts:
    from penstock.workflows.telescope.toy.cleaning import TailCuts

    given = task.params.get("cleaning") or {}
    known = [each.name for each in fields(TailCuts)]
    if unknown := [name for name in given if name not in known]:
        raise Unusable(f"params.cleaning has {', '.join(unknown)}; it may have {', '.join(known)}")
    return TailCuts(**given)


def _name(task: Task) -> str:
    return "/".join(map(str, task.key)) or "the task"


@contextmanager
def _failing(task: Task) -> Iterator[None]:
    """End a task for good where another try gives the same."""
    try:
        yield
    except (Unusable, DefinitionError) as error:
        task.fail(str(error))
