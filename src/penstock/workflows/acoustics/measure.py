"""One pass over one sound: checks, spectrogram, sums and levels per time bin, pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from penstock.workflows.acoustics.axis import Axis
from penstock.workflows.acoustics.calibration import read_calibration, read_response
from penstock.workflows.acoustics.levels import Columns
from penstock.workflows.acoustics.matrix import to_level
from penstock.workflows.acoustics.normal import Normal
from penstock.workflows.acoustics.pictures import Panel, draw
from penstock.workflows.acoustics.product import Writer
from penstock.workflows.acoustics.qc import Finding
from penstock.workflows.acoustics.segmentsound import open_file
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.acoustics.signal import tapped
from penstock.workflows.acoustics.sound import Faulty, FileSound, Sound, check_samples
from penstock.workflows.acoustics.spectra import Transform
from penstock.workflows.acoustics.tiles import Canvas, Pyramid, choose_range
from penstock.workflows.acoustics.timeline import moment, seconds
from penstock.workflows.stores.netcdf import Store

__all__ = ["Faulty", "Measured", "check_samples", "make_transform", "measure", "measure_sound"]


@dataclass(frozen=True, slots=True)
class Measured:
    """What one pass found, small enough for a task's result."""

    frames: int
    seconds: float
    level: float  # broadband, dB
    findings: tuple[Finding, ...]


def measure(
    path: str,
    begin: datetime,
    settings: Settings,
    *,
    product: Path,
    picture: Path,
    normal: Normal | None = None,
) -> Measured:
    """Read a recording once, in blocks, and write its matrix with levels, and its picture.

    `normal` is what normalises it; without, and if the settings ask for it, the file is read twice.
    """
    sound = FileSound(path, begin, settings, normal) if normal else open_file(path, begin, settings)
    return measure_sound(sound, settings, product=product, picture=picture)


def measure_sound(
    sound: Sound, settings: Settings, *, product: Path, picture: Path, tiles: Path | None = None
) -> Measured:
    """Measure any sound; with a folder for `tiles`, its pyramid too."""
    transform = make_transform(settings, sound.rate)
    frames = transform.count(sound.frames)
    if not frames:
        why = f"it holds {sound.frames} samples, fewer than one window of {transform.size}"
        raise Faulty([Finding("short", why, sound.frames)])
    with ExitStack() as stack:
        writer = Writer(stack.enter_context(Store(product)), transform, settings, sound)
        columns = make_columns(transform, frames, settings)
        pyramid: Pyramid | None = None
        for first, power in numbered(transform, sound, writer.width, writer.listen):
            writer.put(first, power)
            columns.add(first, power)
            if tiles is not None:
                pyramid = pyramid or make_pyramid(tiles, sound, transform, settings, power)
                pyramid.add(first, power)
        findings = sound.finish()
        writer.close(findings)
    draw(
        make_panel(columns, transform, settings, sound),
        picture,
        colours=settings.colours,
        db_range=settings.db_range,
    )
    return Measured(frames, writer.recorded, writer.level(), tuple(findings))


def make_transform(settings: Settings, rate: float) -> Transform:
    """Choose the transform that the settings describe."""
    factor = read_calibration(settings).factor
    if settings.legacy:
        made = Transform.osmose(rate=rate, size=settings.nfft, hop=settings.hop, factor=factor)
    else:
        made = Transform.of(
            rate=rate,
            size=settings.nfft,
            hop=settings.hop,
            window=settings.window,
            scaling=settings.scaling,
            factor=factor,
        )
    return made.shaped(read_response(settings, made.frequencies()))


def numbered(
    transform: Transform, sound: Sound, count: int, listen: Callable[[NDArray[Any]], None]
) -> Iterator[tuple[int, NDArray[Any]]]:
    """Give the power of the frames, `count` at a time, with the number of the first; `listen` hears the samples."""
    first, frames = 0, transform.count(sound.frames)
    for power in transform.blocks(tapped(sound.blocks(), listen), count):
        if first < frames:
            yield first, power[: frames - first]
        first += len(power)


def make_columns(transform: Transform, frames: int, settings: Settings) -> Columns:
    shape = len(transform.frequencies()), settings.picture_width, settings.picture_height
    axis = None if settings.frequency_scale == "linear" else make_axis(transform, settings)
    return Columns(frames, *shape, axis=axis, spacing=transform.spacing)


def make_axis(transform: Transform, settings: Settings) -> Axis:
    return Axis.of(settings.frequency_scale, transform.spacing, transform.rate / 2)


def make_pyramid(
    folder: Path, sound: Sound, transform: Transform, settings: Settings, power: NDArray[Any]
) -> Pyramid:
    """Begin a pyramid; its colours suit `power`, the first frames, unless they are chosen."""
    reference = read_calibration(settings).reference
    canvas = Canvas(
        transform.count(sound.frames),
        make_axis(transform, settings),
        transform.spacing,
        reference,
        settings,
        choose_range(power[:2048], reference, settings),
    )
    return Pyramid(folder, sound.name, canvas, power.shape[1])


def make_panel(columns: Columns, transform: Transform, settings: Settings, sound: Sound) -> Panel:
    calibration = read_calibration(settings)
    return Panel(
        levels=to_level(columns.mean(), calibration.reference),
        top=transform.rate / 2,
        begin=sound.begin,
        end=moment(seconds(sound.begin) + sound.frames / sound.rate),
        title=f"Spectrogram of {sound.name}: {show_frames(transform)}",
        unit=f"dB re {calibration.reference_of(settings.scaling)}",
        axis=make_axis(transform, settings),
    )


def show_frames(transform: Transform) -> str:
    """Say how long a frame is and how far lines are apart."""
    return f"frames of {transform.size / transform.rate:.3g} s, lines of {transform.spacing:.3g} Hz"
