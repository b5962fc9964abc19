"""Files of trajectories: plain tables, TrackMate, trackpy, ThunderSTORM, Picasso; units from the header, or asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from penstock.errors import DefinitionError
from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.linking import link as link_points
from penstock.workflows.tracking.picasso import read_picasso
from penstock.workflows.tracking.points import Points, name_columns, points_of
from penstock.workflows.tracking.table import Table, read_table
from penstock.workflows.tracking.trackmate import is_trackmate, read_csv, read_xml
from penstock.workflows.tracking.trajectories import Trajectories, join, order
from penstock.workflows.tracking.units import Scales

COLUMNS = ("n", "x", "y", "t")  # of a table that names none: trajectory, µm, µm, s
OF_SUFFIX = {".xyt": ("x", "y", "t")}  # one trajectory
HDF5 = (".h5", ".hdf5")


def read_trajectories(
    paths: Path | Sequence[Path],
    scales: Scales | None = None,
    *,
    columns: Sequence[str] = (),
    link: float | None = None,
) -> Trajectories:
    """Read one file, or several as one dataset.

    `columns` names those of a table without a header, in order (`n x y z t frame`; any other name is left out). `link` (µm) makes
    trajectories of a file that has points only. Raises Unreadable, or DefinitionError if a unit has to be given.
    """
    scales = scales or Scales()
    many = [paths] if isinstance(paths, Path) else [*paths]
    made = [_read_one(path, scales, columns, link) for path in many]
    return made[0] if len(made) == 1 else join(made)


def _read_one(path: Path, scales: Scales, columns: Sequence[str], link: float | None) -> Trajectories:
    try:
        points = read_points(path, scales, columns=columns)
        if points.n is None and link is not None:
            points = link_points(points, link)
        made = order(points, scales.frame_interval)
    except DefinitionError as error:
        raise DefinitionError(error.message, file=path) from None
    if not len(made):
        raise Unreadable(f"{path} holds no point of a trajectory")
    return made


def read_points(path: Path, scales: Scales, *, columns: Sequence[str] = ()) -> Points:
    """Read the points of a file, in µm and s, as they stand there."""
    if path.suffix == ".xml":
        return read_xml(path, scales)
    if path.suffix in HDF5:
        return read_picasso(path, scales)
    table = read_table(path)
    if is_trackmate(table.column_numbers()):
        return read_csv(table, scales)
    if table.names and not columns:
        return _named(table, scales)
    return _plain(table, scales, columns or OF_SUFFIX.get(path.suffix, COLUMNS))


def _named(table: Table, scales: Scales) -> Points:
    """Read a table with a header; one that counts frames and states no unit is in pixels, as of trackpy."""
    places, units = name_columns(table.column_numbers())
    missing = [axis for axis in "xy" if axis not in places]
    if missing or not {"t", "frame"} & places.keys():
        lacking = " or ".join(missing) or "t or frame"
        raise Unreadable(
            f"{table.path} has no column {lacking} among {', '.join(table.names)}; name the columns"
        )
    if "t" not in places:
        units = dict.fromkeys("xyz", "px") | units if scales.length is None else units
    else:
        scales = _usual(scales)
    return points_of(dict(zip(places, table.read([*places.values()]).T, strict=True)), units, scales)


def _plain(table: Table, scales: Scales, columns: Sequence[str]) -> Points:
    """Read a table by the order of its columns, µm and s unless something else is said."""
    places = {name: i for i, name in enumerate(columns) if name in (*"nxyzt", "frame")}
    numbers = dict(zip(places, table.read([*places.values()]).T, strict=True))
    if "n" not in numbers:
        numbers["n"] = 0 * numbers["x"]
    return points_of(numbers, {}, _usual(scales))


def _usual(scales: Scales) -> Scales:
    """Take µm and s where nothing else is said."""
    length = scales.length or ("µm" if scales.pixel_size is None else None)
    time = scales.time or ("s" if scales.frame_interval is None else None)
    return replace(scales, length=length, time=time)
