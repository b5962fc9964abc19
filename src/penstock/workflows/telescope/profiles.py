"""The science of a night, as commands: what each profile runs for each stage, and what that leaves.

A profile says of a stage only what depends on the programs; `definition` adds what a night is. {label} is the
telescope in names of files (LST-1 for LST1), and words in capitals are those that `definition` fills in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Keys = Mapping[str, Any]

RUN, SUBRUN = "Run{run:05d}", "Run{run:05d}.{subrun:04d}"
CALIBRATED = {
    "made": {
        "drs4": "{inputs.drs4_pedestal}",
        "charge": "{inputs.charge_calibration}",
    },
    "existing": {"drs4": "{drs4_pedestal_file}", "charge": "{charge_calibration_file}"},
}


@dataclass(frozen=True, slots=True)
class Profile:
    """Programs of a chain: the keys of its stages, parameters, and folders of `telescope.toml` by default."""

    stages: Mapping[str, Keys]
    files: Mapping[str, str]
    params: Keys = field(default_factory=dict[str, Any])
    #: a key of [files] → the argument of r0_to_dl1 that there is only with it
    optional: Mapping[str, str] = field(default_factory=dict[str, str])
    checked: Keys = field(
        default_factory=lambda: {"with": "dl1ab"}
    )  # what the data check of a subrun waits for
    per_run: bool = False  # DL2 is made of the merged DL1 of a run
    found_by_folder: frozenset[str] = (
        frozenset()
    )  # stages whose products programs look for in a folder, so that they stay in it


LSTCHAIN = Profile(
    per_run=True,
    found_by_folder=frozenset({"merge_muons", "merge_datacheck"}),
    params={
        "dl1a_config": "lstchain_standard_config.json",
        "dl2_config": "lstchain_standard_config.json",
        "calibration_config": "onsite_camera_calibration_param.json",
    },
    files={
        "summary": "monitoring/RunSummary/RunSummary_{date}.ecsv",
        "catalogue": "monitoring/RunCatalog/RunCatalog_{date}.ecsv",
        "r0": "R0G/{date}/{label}.1.Run{run:05d}.{subrun:04d}.fits.fz",
        "drive": "monitoring/DrivePositioning/DrivePosition_log_{date}.txt",
        "time_sampling": "monitoring/PixelCalibration/Cat-A/drs4_time_sampling_from_FF/{date}/pro/"
        "time_calibration.Run{run:05d}.0000.h5",
        "systematic_correction": "monitoring/PixelCalibration/Cat-A/ffactor_systematics/{date}/pro/"
        "ffactor_systematics_{date}.h5",
        "pedestal_ids": "auxiliary/PedestalFinder/{date}/pedestal_ids_Run{run:05d}.{subrun:04d}.h5",
        "gain_selection": "OSA/GainSel/{date}/GainSelFinished.txt",
        "drs4_pedestal": "monitoring/PixelCalibration/Cat-A/drs4_baseline/{date}/pro/"
        "drs4_pedestal.Run{run:05d}.0000.h5",
        "charge_calibration": "monitoring/PixelCalibration/Cat-A/calibration/{date}/pro/"
        "calibration_filters_52.Run{run:05d}.0000.h5",
    },
    optional={"pedestal_ids": "--pedestal-ids-path={pedestal_ids}"},
    stages={
        "drs4_pedestal": {
            "command": [
                "lstchain_create_drs4_pedestal_file",
                "--input={path}",
                "--output={product}",
                "--max-events=20000",
                "--no-progress",
            ],
            "products": "calibration/{date}/drs4_pedestal.Run{run:05d}.0000.h5",
            "resources": {"memory": "3GB", "walltime": "75min"},
        },
        "charge_calibration": {
            "command": [
                "lstchain_create_calibration_file",
                "--input_file={path}",
                "--output_file={product}",
                "--pedestal_file={inputs.drs4_pedestal}",
                "--systematics_file={systematic_correction}",
                "--time_calibration_file={time_sampling}",
                "--run_summary_file={summary}",
                "--config={param.calibration_config}",
                "--LSTEventSource.default_trigger_type=tib",
                "--EventSource.min_flatfield_adc=3000",
                "--EventSource.max_flatfield_adc=12000",
            ],
            "products": f"calibration/{{date}}/calibration.{RUN}.0000.h5",
            "resources": {"memory": "3GB", "walltime": "75min"},
        },
        "r0_to_dl1": {
            "command": [
                "lstchain_data_r0_to_dl1",
                "--input-file={path}",
                "--output-dir={outdir}",
                "--config={param.dl1a_config}",
                "--pointing-file={drive}",
                "--run-summary-path={summary}",
                "--pedestal-file=DRS4",
                "--calibration-file=CHARGE",
                "--time-calibration-file={time_sampling}",
                "--systematic-correction-file={systematic_correction}",
            ],
            "products": {
                "dl1": {"path": f"dl1a/{{date}}/dl1_{{label}}.{SUBRUN}.h5", "from": "dl1_*.h5"},
                "muons": {"path": f"dl1a/{{date}}/muons_{{label}}.{SUBRUN}.fits", "from": "muons_*.fits"},
            },
            "resources": {"memory": "6GB", "walltime": "75min"},
            "batch": 1,
        },
        "dl1ab": {
            "command": [
                "lstchain_dl1ab",
                "--input-file={inputs.r0_to_dl1.dl1}",
                "--output-file={product}",
                "--config={cleaning_path}",
            ],
            "products": f"dl1/{{date}}/{{cleaning}}/dl1_{{label}}.{SUBRUN}.h5",
            "resources": {"memory": "6GB", "walltime": "30min"},
        },
        "datacheck": {
            "command": [
                "lstchain_check_dl1",
                "--input-file={inputs.dl1ab}",
                "--output-dir={outdir}",
                "--muons-dir=dl1a/{date}",
                "--omit-pdf",
                "--batch",
            ],
            "products": {
                "product": {
                    "path": f"datacheck/{{date}}/{{cleaning}}/datacheck_dl1_{{label}}.{SUBRUN}.h5",
                    "from": "datacheck_dl1_*.h5",
                }
            },
            "resources": {"memory": "6GB", "walltime": "30min"},
        },
        "merge_dl1": {
            "command": [
                "lstchain_merge_hdf5_files",
                "--input-dir=dl1/{date}/{cleaning}",
                "--output-file={product}",
                "--run-number={run}",
                "--pattern=dl1_{label}." + RUN + ".*.h5",
                "--no-image",
                "--no-progress",
            ],
            "products": f"dl1/{{date}}/{{cleaning}}/runs/dl1_{{label}}.{RUN}.h5",
            "resources": {"memory": "8GB", "walltime": "1h"},
        },
        "merge_muons": {
            "command": [
                "lstchain_merge_muon_files",
                "--input-dir=dl1a/{date}",
                "--output-file={product}",
                "--run-number={run}",
                "--pattern=muons_{label}." + RUN + ".*.fits",
            ],
            "products": f"muons/{{date}}/muons_{{label}}.{RUN}.fits",
            "resources": {"memory": "3GB", "walltime": "15min"},
        },
        "merge_datacheck": {
            "command": [
                "lstchain_check_dl1",
                "--input-file=datacheck/{date}/{cleaning}/datacheck_dl1_{label}." + RUN + ".*.h5",
                "--output-dir={outdir}",
                "--muons-dir=dl1a/{date}",
                "--batch",
            ],
            "products": {
                "product": {"path": f"datacheck/{{date}}/datacheck_dl1_{{label}}.{RUN}.h5"},
                "report": {"path": f"datacheck/{{date}}/datacheck_dl1_{{label}}.{RUN}.pdf"},
            },
            "resources": {"memory": "8GB", "walltime": "1h"},
        },
        "dl1_to_dl2": {
            "command": [
                "lstchain_dl1_to_dl2",
                "--input-files={inputs.DL1}",
                "--output-dir={outdir}",
                "--path-models={model_path}",
                "--config={param.dl2_config}",
            ],
            "products": {
                "product": {
                    "path": "dl2/{date}/{cleaning}/{model}/dl2_{label}.UNIT.h5",
                    "from": "dl2_*.h5",
                }
            },
            "resources": {"memory": "60GB", "walltime": "2h"},
        },
        "merge_dl2": {
            "command": [
                "lstchain_merge_hdf5_files",
                "--input-dir=dl2/{date}/{cleaning}/{model}",
                "--output-file={product}",
                "--run-number={run}",
                "--pattern=dl2_{label}." + RUN + ".*.h5",
                "--no-image",
                "--no-progress",
            ],
            "products": f"dl2/{{date}}/{{cleaning}}/{{model}}/runs/dl2_{{label}}.{RUN}.h5",
            "resources": {"memory": "8GB", "walltime": "1h"},
        },
        "night_check": {
            "command": [
                "lstchain_longterm_dl1_check",
                "--input-dir=datacheck/{date}",
                "--muons-dir=muons/{date}",
                "--output-file={product.table}",
                "--batch",
            ],
            "products": {
                "table": {"path": "nights/{date}/DL1_datacheck_{date}.h5"},
                "page": {"path": "nights/{date}/DL1_datacheck_{date}.html"},
            },
            "resources": {"memory": "8GB", "walltime": "1h"},
        },
    },
)

TOY_STAGES = "penstock.workflows.telescope.toy.stages"
CHOSEN_STAGES = "penstock.workflows.telescope.chosen"  # those that use what is chosen for their run


def _toy(function: str, products: Any, *fields: str, kind: str | None = None, of: str = TOY_STAGES) -> Keys:
    """Give the keys of a stage of the toy chain, whose function is given these fields."""
    keys = {"python": f"{of}:{function}", "setup": f"{TOY_STAGES}:setup", "products": products}
    return {**keys, "fields": list(fields) or None, "params": {"kind": kind} if kind else None}


def _checked(place: str) -> Keys:
    """Give the products of a merged data check."""
    return {"product": f"{place}.h5", "page": f"{place}.html", "pictures": f"{place}-pictures/"}


TOY = Profile(
    checked={"after": ["r0_to_dl1"], "array": "run"},
    files={
        "summary": "monitoring/RunSummary_{date}.ecsv",
        "catalogue": "monitoring/RunCatalog_{date}.ecsv",
        "r0": "R0/{date}/R0.Run{run:05d}.{subrun:04d}.h5",
    },
    stages={
        "drs4_pedestal": _toy("drs4_pedestal", f"calibration/{{date}}/drs4_pedestal.{RUN}.h5", "paths"),
        "charge_calibration": _toy(
            "charge_calibration", f"calibration/{{date}}/calibration.{RUN}.h5", "paths"
        ),
        "r0_to_dl1": _toy(
            "r0_to_dl1",
            {
                "dl1": f"dl1a/{{date}}/dl1.{SUBRUN}.h5",
                "muons": f"dl1a/{{date}}/muons.{SUBRUN}.h5",
                "interleaved": f"dl1a/{{date}}/interleaved.{SUBRUN}.h5",
            },
            "path",
        ),
        "dl1ab": _toy(
            "dl1ab",
            f"dl1/{{date}}/{{cleaning}}/dl1.{SUBRUN}.h5",
            "cleaning",
            "cleaning_path",
            of=CHOSEN_STAGES,
        ),
        "datacheck": _toy("datacheck", f"datacheck/{{date}}/subruns/datacheck.{SUBRUN}.h5", "run"),
        "merge_dl1": _toy("merge", f"dl1/{{date}}/{{cleaning}}/runs/dl1.{RUN}.h5", "run", kind="dl1ab"),
        "merge_muons": _toy("merge", f"muons/{{date}}/muons.{RUN}.h5", "run", kind="muons"),
        "merge_datacheck": _toy(
            "merge", _checked(f"datacheck/{{date}}/datacheck.{RUN}"), "run", kind="datacheck"
        ),
        "dl1_to_dl2": _toy(
            "dl1_to_dl2", "dl2/{date}/{cleaning}/{model}/dl2.UNIT.h5", "model", "model_path", of=CHOSEN_STAGES
        ),
        "merge_dl2": _toy(
            "merge", f"dl2/{{date}}/{{cleaning}}/{{model}}/runs/dl2.{RUN}.h5", "run", kind="dl2"
        ),
        "night_check": _toy("merge", _checked("nights/{date}/datacheck"), "night", kind="datacheck"),
    },
)

PROFILES: Mapping[str, Profile] = {"toy": TOY, "lstchain": LSTCHAIN}
