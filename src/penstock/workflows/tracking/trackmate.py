"""What TrackMate writes: tables with four lines of header, tracks as XML, and its whole session as XML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from penstock.workflows.tracking.faults import Unreadable
from penstock.workflows.tracking.points import Points, points_of
from penstock.workflows.tracking.table import Table, is_number, split
from penstock.workflows.tracking.units import Scales

COLUMNS = {
    "n": "TRACK_ID",
    "x": "POSITION_X",
    "y": "POSITION_Y",
    "z": "POSITION_Z",
    "t": "POSITION_T",
    "frame": "FRAME",
}
HEADER = 3  # more lines: long names, short names, units
Spot = tuple[float, float, float, float]  # x, y, z, frame


def is_trackmate(names: Mapping[str, int]) -> bool:
    """Say whether a table has the columns of TrackMate."""
    return {"TRACK_ID", "POSITION_X", "POSITION_Y"} <= names.keys()


def read_csv(table: Table, scales: Scales) -> Points:
    """Read a table of spots; those of no track are left out, and said."""
    places = {our: table.column_numbers()[theirs] for our, theirs in COLUMNS.items() if theirs in table.names}
    units = _units(table, places)
    numbers = (table.below(HEADER) if units else table).read([*places.values()])
    tracked = np.isfinite(numbers[:, [*places].index("n")])
    made = points_of(dict(zip(places, numbers[tracked].T, strict=True)), units, scales)
    lost = int(np.count_nonzero(~tracked))
    told = (f"{lost} spots of no track left out",) if lost else ()
    return Points(made.r, made.t, made.n, (*made.told, *told))


def _units(table: Table, places: Mapping[str, int]) -> dict[str, str]:
    """Give what the fourth line states; nothing if numbers begin right below the names."""
    if len(table.rows) < HEADER or is_number(split(table.rows[0], table.delimiter)[places["x"]]):
        return {}
    stated = split(table.rows[HEADER - 1], table.delimiter)
    return {our: unit for our, place in places.items() if (unit := stated[place].strip(" ()"))}


def read_xml(path: Path, scales: Scales) -> Points:
    """Read tracks, or a session, of which the spots of its tracks count. Raises Unreadable for other XML."""
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise Unreadable(f"{path} is no XML: {error}") from None
    if root.tag == "Tracks":
        units = {"space": root.get("spaceUnits"), "time": root.get("timeUnits")}
        interval, rows = root.get("frameInterval"), [*_simple(root)]
    elif (model := root.find("Model")) is not None:
        units = {"space": model.get("spatialunits"), "time": model.get("timeunits")}
        interval, rows = (_interval(root), [*_session(model)])
    else:
        raise Unreadable(f"{path} is XML of <{root.tag}>, not of TrackMate; export tracks to XML there")
    return _made(path, rows, units, interval, scales)


def _made(
    path: Path,
    rows: list[tuple[int, Spot]],
    units: Mapping[str, str | None],
    interval: str | None,
    scales: Scales,
) -> Points:
    if not rows:
        raise Unreadable(f"{path} has no track")
    n = np.array([track for track, _ in rows], float)
    x, y, z, frame = np.array([spot for _, spot in rows]).T
    stated = Scales(
        scales.pixel_size, scales.frame_interval or _seconds(interval, units["time"]), scales.length
    )
    lengths = {axis: units["space"] for axis in "xyz" if units["space"]}
    return points_of({"n": n, "x": x, "y": y, "z": z, "frame": frame}, lengths, stated)


def _seconds(interval: str | None, unit: str | None) -> float | None:
    """Give the interval of frames; None where the file does not know it (1 frame a frame)."""
    if interval is None or unit is None or unit.lower() in ("frame", "frames"):
        return None
    return float(interval) * Scales().seconds(unit)


def _interval(root: ElementTree.Element) -> str | None:
    image = root.find("Settings/ImageData")
    return None if image is None else image.get("timeinterval")


def _simple(root: ElementTree.Element) -> Iterator[tuple[int, Spot]]:
    for number, particle in enumerate(root.iter("particle")):
        for spot in particle.iter("detection"):
            yield number, (_of(spot, "x"), _of(spot, "y"), _of(spot, "z"), _of(spot, "t"))


def _session(model: ElementTree.Element) -> Iterator[tuple[int, Spot]]:
    """Yield the spots of all tracks; what comes of a branching point is a trajectory of its own."""
    spots = {spot.get("ID"): spot for spot in model.iter("Spot")}
    number = -1
    for track in model.iter("Track"):
        edges = [(edge.get("SPOT_SOURCE_ID"), edge.get("SPOT_TARGET_ID")) for edge in track.iter("Edge")]
        edges = [(b, a) if _of(spots[a], "FRAME") > _of(spots[b], "FRAME") else (a, b) for a, b in edges]
        starts, ends = Counter(a for a, _ in edges), Counter(b for _, b in edges)
        after = {a: b for a, b in edges if starts[a] == 1 and ends[b] == 1}
        heads = [each for each in dict.fromkeys([*starts, *ends]) if each not in set(after.values())]
        for head in heads:
            number += 1
            at: str | None = head
            while at is not None:
                yield number, _spot(spots[at])
                at = after.get(at)


def _spot(spot: ElementTree.Element) -> Spot:
    return _of(spot, "POSITION_X"), _of(spot, "POSITION_Y"), _of(spot, "POSITION_Z"), _of(spot, "FRAME")


def _of(element: ElementTree.Element, name: str) -> float:
    return float(element.get(name, "nan" if name not in ("z", "POSITION_Z") else "0"))
