"""The stages of an acoustics campaign, as the runner calls them: each takes a task."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from penstock.workflows.acoustics.names import with_fraction
from penstock.workflows.acoustics.qc import Finding
from penstock.workflows.acoustics.recordings import Dataset, Recording, scan_campaign
from penstock.workflows.acoustics.settings import Settings, read_settings
from penstock.workflows.acoustics.timeline import Span, moment, seconds
from penstock.workflows.stores.formats import as_netcdf, spectra_of

if TYPE_CHECKING:
    from penstock.campaign import Campaign
    from penstock.runner.task import Task
    from penstock.workflows.acoustics.albums import Album
    from penstock.workflows.acoustics.normal import Normal
    from penstock.workflows.acoustics.page import Quality
    from penstock.workflows.acoustics.segments import Segment
    from penstock.workflows.acoustics.sound import Sound


def setup() -> None:
    """Load the numerical libraries once a worker, and let it keep its memory."""
    import penstock.workflows.acoustics.measure  # noqa: F401
    from penstock.workflows.acoustics.heap import keep_freed

    keep_freed()


def spectrogram(task: Task) -> dict[str, Any]:
    """Make the matrix, the levels and the picture of one sound in one pass (each = "file" or "segment").

    Products `spectrum` (NetCDF or Zarr) and `picture` (PNG). A faulty recording is vetoed with its reason
    unless `params.force`, a segment whose coverage is below `params.least_coverage` always; warnings are
    in the result and in the product. The units of the level `segment` are those of `list_segments`.
    """
    from penstock.workflows.acoustics.chain import choose_normal, read_given
    from penstock.workflows.acoustics.measure import measure_sound

    settings, extras, before = Settings.read(task.params), _extras(task), task.inputs.get("statistics", [])
    with _vetoing(task), as_netcdf(task.product("spectrum")) as spectrum:
        if before:
            given = read_given(before[0])
            normal = choose_normal(given, task.inputs.get("normals", []), settings)
            sound = _prepared(task, settings, given, normal)
        else:
            sound = _sound(task, settings)
        made = measure_sound(
            sound, settings, product=spectrum, picture=task.product("picture"), tiles=extras.get("tiles")
        )
        _export(spectrum, extras)
    for finding in made.findings:
        task.log(f"{finding.kind}: {finding.why}")
    return {
        "frames": made.frames,
        "seconds": made.seconds,
        "level": round(made.level, 3),
        "findings": {finding.kind: finding.why for finding in made.findings},
    }


def _begin(task: Task) -> datetime:
    begin = task.fields["begin"]
    if begin is None:
        task.veto("its begin is unknown: give its time, and run `penstock init` again")
    return with_fraction(begin, task.fields)


def _segment(task: Task) -> Segment:
    """Give the segment of a task; a file with pauses is one."""
    from penstock.workflows.acoustics.headers import read_header
    from penstock.workflows.acoustics.segments import Piece, Segment, segment_of

    fields = task.fields
    if "pieces" not in fields:
        path = str(fields["path"])
        return segment_of(path, read_header(path))
    pieces = tuple(Piece(*each) for each in json.loads(fields["pieces"]))
    begin, end = (fields[name].timestamp() for name in ("begin", "end"))
    return Segment(str(fields["segment"]), begin, end, pieces, fields["shared"])


def _sound(task: Task, settings: Settings) -> Sound:
    """Give the sound of a task as it lies in its recordings."""
    if "pieces" in task.fields:
        from penstock.workflows.acoustics.segmentsound import SegmentSound

        return SegmentSound(_segment(task), settings)
    from penstock.workflows.acoustics.segmentsound import open_file

    return open_file(str(task.fields["path"]), _begin(task), settings)


def _prepared(task: Task, settings: Settings, given: dict[str, Any], normal: Normal) -> Sound:
    """Give the sound of a task of which the links before have made and told what is `given`."""
    from penstock.workflows.acoustics.chain import PreparedSegment, PreparedSound

    if "pieces" in given["source"]:
        return PreparedSegment(_segment(task), settings, given, normal)
    return PreparedSound(_begin(task), settings, given, normal)


def resample(task: Task) -> dict[str, Any]:
    """Write a sound at the rate of `params.resample` (each = "file" or "segment"); products `audio` and `notes`."""
    from penstock.workflows.acoustics.chain import write_resampled

    settings = replace(Settings.read(task.params), normalise="none", band_pass=None)
    with _vetoing(task):
        sound = _sound(task, settings)
        write_resampled(sound, task.product("audio"), task.product("notes"))
        return {"frames": sound.frames, "rate": sound.rate}


def statistics(task: Task) -> dict[str, Any]:
    """Write mean, spread and peak of a sound as it will be transformed (each = "file" or "segment").

    Reads what the stage `resample` made, if there is one.
    """
    from penstock.workflows.acoustics.chain import read_given, write_statistics
    from penstock.workflows.acoustics.normal import Normal

    settings = replace(Settings.read(task.params), normalise="none")
    before = task.inputs.get("resample", [])
    with _vetoing(task):
        if before:
            audio, notes = (next(p for p in before if p.suffix == end) for end in (".wav", ".json"))
            given = read_given(notes) | {"audio": os.path.abspath(audio)}
            sound = _prepared(task, settings, given, Normal())
        else:
            sound = _sound(task, settings)
            given = {"audio": sound.about().get("source")}
        found = write_statistics(sound, task.product(), given)
    return {"mean": found.mean, "deviation": found.deviation, "peak": found.peak}


def normals(task: Task) -> dict[str, Any]:
    """Write what normalises the files of each period, or all (each = "campaign")."""
    from penstock.workflows.acoustics.chain import write_normals

    settings = Settings.read(task.params)
    return {"periods": write_normals(task.inputs["statistics"], task.product(), settings)}


def aplose(task: Task) -> dict[str, Any]:
    """Write the folder that APLOSE imports (each = "campaign"); tiles that are stored are linked into it."""
    from penstock.workflows.acoustics.annotation import Export, Told, write_export

    made, folder = task.inputs["spectrogram"], task.product()
    told = sorted((Told.by(product) for product in spectra_of(made)), key=lambda each: each.begin)
    extension = os.path.splitext(task.params["audio"])[1]
    export = Export(Path.cwd().name, Settings.read(task.params), told, extension)
    tiles = [
        tile for path in made if path.parent.name == "tiles" for tile in sorted(path.absolute().iterdir())
    ]
    write_export(folder, export, tiles, home=lasting_folder(folder) / folder.name)
    return {"sounds": len(told), "tiles": len(tiles)}


@contextmanager
def _vetoing(task: Task) -> Iterator[None]:
    from penstock.workflows.acoustics.sound import Faulty

    try:
        yield
    except Faulty as error:
        task.veto(str(error))


def list_segments(campaign: Campaign) -> Iterator[dict[str, Any]]:
    """Give the units of the level `segment`: what `[units] python` names.

    Reads the headers of the recordings that `params.audio` of the stage `spectrogram` finds.
    """
    from penstock.workflows.acoustics.segments import clips_of, plan_segments

    params = campaign.stage("spectrogram").params
    settings = read_settings(params)
    dataset = scan_campaign(params, settings, os.fspath(campaign.root))
    for segment in plan_segments(clips_of(dataset, settings), settings):
        pieces = [[p.path, p.rate, p.skip, p.count, p.at] for p in segment.pieces]
        yield {
            "segment": segment.name,
            "begin": moment(segment.begin),
            "end": moment(segment.end),
            "coverage": round(segment.coverage, 6),
            "shared": round(segment.shared, 6),
            "pieces": json.dumps(pieces),
            "paths": list(dict.fromkeys(p.path for p in segment.pieces)),
        }


def _extras(task: Task) -> dict[str, Path]:
    """Give the products that a campaign may have beside the usual ones."""
    found: dict[str, Path] = {}
    for name in ("tiles", "npz"):
        with suppress(ValueError):
            found[name] = task.product(name)
    return found


def _export(spectrum: Path, extras: dict[str, Path]) -> None:
    if "npz" in extras:
        from penstock.workflows.acoustics.exports import write_npz

        write_npz(spectrum, extras["npz"])


def ltas(task: Task) -> dict[str, Any]:
    """Average all recordings over time bins (each = "campaign"); products `average` and `picture`."""
    from penstock.workflows.acoustics import longterm
    from penstock.workflows.acoustics.heap import give_back

    give_back()
    settings = Settings.read(task.params)
    sources = spectra_of(task.inputs["spectrogram"])
    course = longterm.plan(sources, settings.ltas_bin)
    drawing = longterm.Drawing(course, settings)
    with as_netcdf(task.product("average")) as path:
        coverage = longterm.write(course, path, watch=drawing.add)
    left_out = left_out_of(scan_campaign(task.params, settings), course.sources)
    drawing.write(task.product("picture"), Path.cwd().name, left_out)
    return {
        "bins": len(course.edges) - 1,
        "bin_seconds": float(course.edges[1] - course.edges[0]),
        "coverage": round(coverage, 6),
    }


def soundscape(task: Task) -> dict[str, Any]:
    """Draw levels in time, how often each occurs, and each hour of each day (each = "campaign").

    Products `table` (NetCDF or Zarr), `levels` (CSV), `epd`, `spl` and `recurrence` (PNG).
    """
    from penstock.workflows.acoustics import figures
    from penstock.workflows.acoustics import overview as whole
    from penstock.workflows.acoustics.heap import give_back

    give_back()
    settings = Settings.read(task.params)
    sources = spectra_of(task.inputs["spectrogram"])
    made, broadband = whole.read_soundscape(sources)
    with as_netcdf(task.product("table")) as path:
        whole.write_soundscape(made, path)
    rows = whole.write_levels(task.product("levels"), sources)
    figures.draw_epd(made, task.product("epd"), settings.colours)
    left_out = left_out_of(scan_campaign(task.params, settings), made.sources)
    figures.draw_levels(made.series, task.product("spl"), broadband, band=made.band, left_out=left_out)
    with suppress(ValueError):  # of less than a day, a campaign has none
        path = task.product("recurrence")
        figures.draw_recurrence(made, path, broadband, settings.colours, band=made.band)
    return {"rows": rows, "days": len(made.days)}


def daily(task: Task) -> dict[str, Any]:
    """Write a file of hybrid millidecades a day, as archives take them (each = "campaign"); a folder."""
    from penstock.workflows.acoustics.archives import write_days
    from penstock.workflows.acoustics.heap import give_back

    give_back()
    settings = Settings.read(task.params)
    sources = spectra_of(task.inputs["spectrogram"])
    return {"days": write_days(sources, task.product(), settings, Path.cwd().name)}


def quality(task: Task) -> dict[str, Any]:
    """Write what is known of every recording (each = "campaign"), also if all were left out.

    Products `page`, `table`, `dataset`, `files`. A recording that was left out has no product, so it is
    looked at again here.
    """
    from penstock.workflows.acoustics import page, tables

    settings = Settings.read(task.params)
    spectra = spectra_of(task.inputs.get("spectrogram", []))
    dataset = _complete(scan_campaign(task.params, settings), spectra, settings)
    tables.write_dataset(task.product("dataset"), dataset, settings)
    tables.write_files(task.product("files"), dataset)
    tables.write_qc(task.product("table"), dataset, settings)
    page.write_qc_page(task.product("page"), dataset, settings, Path.cwd().name)
    return {"recordings": len(dataset.recordings), "findings": tables.count_findings(dataset)}


def report(task: Task) -> dict[str, Any]:
    """Write the first page, and pages of pictures, a day each (each = "campaign"); products `page` and `albums`."""
    from penstock.workflows.acoustics import page

    settings = Settings.read(task.params)
    made = {path.name: path for path in task.inputs["quality"]}
    found = page.Quality.read(made["dataset.json"], made["qc.csv"])
    home, albums = lasting_folder(task.product("page")), _write_albums(task, found, settings)
    average = _with_suffix(task.inputs.get("ltas", []), ".png")
    links = page.Links(
        qc=page_link(home, made["qc.html"]),
        average=page_link(home, average[0]) if average else None,
        albums=[(album, f"{ALBUMS}/{album.file}") for album in albums],
        whole=[
            (WHOLE[picture.stem], page_link(home, picture))
            for picture in _with_suffix(task.inputs.get("soundscape", []), ".png")
            if picture.stem in WHOLE
        ],
    )
    page.write_index(task.product("page"), found, settings, links, Path.cwd().name)
    return {"pictures": sum(len(album.pictures) for album in albums), "albums": len(albums)}


def _write_albums(task: Task, found: Quality, settings: Settings) -> list[Album]:
    """Write the pages of pictures beside the first page."""
    from penstock.workflows.acoustics import albums, page

    home = lasting_folder(task.product("page")) / ALBUMS
    days = {row["stem"]: row["begin"][:10] for row in found.rows}
    pictures = [
        albums.Picture(
            albums.name_of(each), page_link(home, each), albums.day_of(each.stem, days), found.why(each.stem)
        )
        for each in sorted(_with_suffix(task.inputs["spectrogram"], ".png"))
    ]
    bound = list(albums.bind(pictures))
    about = {"title": Path.cwd().name, "back": task.product("page").name}
    albums.write_albums(task.product("albums"), bound, colours=page.say_colours(settings), **about)
    return bound


ALBUMS = "days"  # the folder of their pages, beside the first
WHOLE = {
    "spl": "Broadband level in time",
    "epd": "How often each level occurs, with percentiles",
    "recurrence": "Level of each hour of each day",
}


def _complete(dataset: Dataset, products: Sequence[Path], settings: Settings) -> Dataset:
    """Add what the samples told: from the products, or by reading a recording that has none."""
    from penstock.workflows.acoustics.sound import check_samples
    from penstock.workflows.acoustics.tables import read_findings

    known = read_findings(products)

    def more(recording: Recording) -> list[Finding]:
        if (source := os.path.abspath(recording.path)) in known:
            return known[source]
        return [] if recording.faults else check_samples(recording.path, settings)

    return Dataset(tuple(each.with_findings(more(each)) for each in dataset.recordings), dataset.usual)


def left_out_of(dataset: Dataset, heard: Collection[str]) -> list[Span]:
    """Give the times of the recordings of which there is no product; `heard` are the paths of the others."""
    return [
        Span(seconds(each.begin), seconds(each.end))
        for each in dataset.recordings
        if each.begin and each.end and os.path.abspath(each.path) not in heard
    ]


def _with_suffix(paths: Sequence[Path], suffix: str) -> list[Path]:
    return [path for path in paths if path.suffix == suffix]


def lasting_folder(product: Path) -> Path:
    """Give the folder in which a product will stand once the runner has renamed it."""
    parents = product.absolute().parents
    return parents[2] if len(parents) > 2 and parents[1].name == ".penstock" else parents[0]


def page_link(home: Path, target: Path) -> str:
    """Write a relative link to a file, safe for any name."""
    from urllib.parse import quote

    return quote(os.path.relpath(target.absolute(), home))
