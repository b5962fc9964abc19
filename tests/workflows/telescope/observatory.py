"""The tables of a made-up telescope, as small as they can be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from penstock.workflows.telescope.planning import plan_from_disk
from penstock.workflows.telescope.sequences import Plan
from penstock.workflows.telescope.settings import Settings, read_settings

HEAD = "# %ECSV 1.0\n# ---\n# datatype:\n"
SUMMARY = {"run_id": "int64", "n_subruns": "int64", "run_type": "string", "run_start": "int64"}
CATALOGUE = {"run_id": "int32", "source_name": "string", "source_ra": "float64", "source_dec": "float64"}
DEFINITION = """telescope = "LST1"

[tables]
summary = "monitoring/RunSummary_{date}.ecsv"
catalogue = "monitoring/RunCatalog_{date}.ecsv"

[files]
r0 = "R0/{date}/LST-1.1.Run{run:05d}.{subrun:04d}.fits.fz"
"""
#: the reference night: run, subruns, type
REFERENCE = (
    (1803, 6, "DRS4"), (1804, 6, "DRS4"), (1805, 5, "PEDCALIB"), (1806, 5, "PEDCALIB"), (1807, 11, "DATA"),
    (1808, 9, "DATA"), (1809, 5, "PEDCALIB"),
)  # fmt: skip
SOURCES = ((1807, "Crab", 83.543, 22.08), (1808, "MadeUpSource", 115.441, 43.98))
EVENING = date(2020, 1, 17)


def ecsv(columns: Mapping[str, str], rows: Iterable[Iterable[object]]) -> str:
    """Write a table with commas between its cells."""
    listed = "".join(f"# - {{name: {name}, datatype: {kind}}}\n" for name, kind in columns.items())
    lines = [",".join(columns), *(",".join(map(quoted, row)) for row in rows)]
    return f"{HEAD}{listed}# delimiter: ','\n" + "\n".join(lines) + "\n"


def quoted(cell: object) -> str:
    return f'"{cell}"' if isinstance(cell, str) and (" " in cell or "," in cell) else str(cell)


class Observatory:
    """A campaign's folder with `telescope.toml`, and the tables of nights."""

    def __init__(self, root: Path, settings: str = "") -> None:
        self.root = root
        (root / "monitoring").mkdir(parents=True)
        (root / "telescope.toml").write_text(DEFINITION + settings)

    @property
    def settings(self) -> Settings:
        return read_settings(self.root)

    def summary(self, day: date, runs: Iterable[Iterable[object]]) -> Path:
        rows = [[*run, 1579289712000000000] for run in runs]
        return self.write("RunSummary", day, ecsv(SUMMARY, rows))

    def catalogue(self, day: date, rows: Iterable[Iterable[object]]) -> Path:
        return self.write("RunCatalog", day, ecsv(CATALOGUE, rows))

    def night(
        self,
        day: date = EVENING,
        runs: Iterable[Iterable[object]] = REFERENCE,
        sources: Iterable[Iterable[object]] = SOURCES,
    ) -> None:
        self.summary(day, runs)
        self.catalogue(day, sources)

    def write(self, name: str, day: date, text: str) -> Path:
        path = self.root / f"monitoring/{name}_{day:%Y%m%d}.ecsv"
        path.write_text(text)
        return path

    def touch(self, *names: str) -> None:
        """Make empty files."""
        for name in names:
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def plan(self, day: date = EVENING) -> Plan:
        return plan_from_disk(self.settings, self.root, day)
