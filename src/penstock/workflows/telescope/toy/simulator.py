"""Raw events (R0) of a made-up telescope: showers, muons, pedestals and flat fields through its camera's electronics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy import pulse
from penstock.workflows.telescope.toy.camera import MODULES, NAME, PER_MODULE, PIXELS, camera
from penstock.workflows.telescope.toy.files import EVENTS
from penstock.workflows.telescope.toy.showers import (
    WOBBLE,
    Made,
    Photons,
    make_muons,
    make_showers,
    truth,
)

Array = NDArray[np.float64]
Rng = np.random.Generator

FLATFIELD, SKY_PEDESTAL, DARK_PEDESTAL, COSMIC = 0, 2, 3, 32  # types of events, as ctapipe numbers them
NIGHT_SKY = 0.08  # photo-electrons a nanosecond and pixel
ELECTRONICS = 3.0  # counts, rms of a sample
FLAT_LIGHT, FLAT_SPREAD, FLAT_TIME = 80.0, 0.03, 15.0  # pe a pixel, from flash to flash, ns
SUBRUN_SECONDS = 10.0
EPOCH = 1579287600.0  # 2020-01-17 19:00 UTC
SHAPE_OF_CHARGE = 1 / (pulse.EXCESS_NOISE - 1)  # of the gamma distribution of a photo-electron's charge

#: what runs of each type have: parts of their events
MIXES: Mapping[str, Mapping[str, float]] = {
    "DRS4": {"dark": 1.0},
    "PEDCALIB": {"flatfield": 0.5, "pedestal": 0.5},
    "DATA": {"gamma": 0.35, "proton": 0.4, "muon": 0.05, "pedestal": 0.1, "flatfield": 0.1},
    "GAMMA": {"gamma": 1.0},
    "PROTON": {"proton": 1.0},
}
TYPES = {"dark": DARK_PEDESTAL, "pedestal": SKY_PEDESTAL, "flatfield": FLATFIELD}


@dataclass(frozen=True)
class Instrument:
    """What the calibration has to find: gains (counts ns a pe), pedestals (pixels × capacitors, counts), delays (ns)."""

    gains: Array
    pedestals: NDArray[np.float32]
    delays: Array


@dataclass(frozen=True)
class Subrun:
    """What is to be made up; `mix` tells parts of events, by default those of the type. `start` is in s since 1970 (UTC)."""

    run: int
    subrun: int
    run_type: str = "DATA"
    events: int = 200
    seed: int = 0
    start: float = EPOCH
    mix: Mapping[str, float] | None = None
    source: tuple[float, float] = WOBBLE
    camera: str = NAME


@lru_cache(maxsize=2)
def instrument(seed: int = 0) -> Instrument:
    """Give a camera's electronics; the same seed gives the same."""
    rng = np.random.default_rng([seed, 1855])
    gains = np.clip(rng.normal(40, 3, PIXELS), 25, 60)
    pedestals = rng.normal(400, 30, (PIXELS, 1)) + rng.normal(0, 12, (PIXELS, pulse.CAPACITORS))
    return Instrument(gains, pedestals.astype(np.float32), rng.normal(0, 0.4, PIXELS))


def simulate(path: Path, made: Subrun) -> None:
    """Write the raw events of a subrun: waveforms (events × pixels × samples, uint16) and what is known of each event.

    The same description gives the same bytes.
    """
    rng = np.random.default_rng([made.seed, made.run, made.subrun])
    names = _kinds(made, rng)
    known, photons = _light(made, names, rng)
    events = np.zeros(len(names), EVENTS)
    events["event_id"] = np.arange(len(names)) + made.subrun * len(names)
    events["event_type"] = [TYPES.get(name, COSMIC) for name in names]
    begin = made.start + made.subrun * SUBRUN_SECONDS
    events["time"] = begin + np.sort(rng.uniform(0, SUBRUN_SECONDS, len(names)))
    seconds = events["time"] - made.start
    events["altitude"], events["azimuth"] = 70 - seconds * 0.004, 180 + seconds * 0.004  # degrees, tracking
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        about = {"run_id": made.run, "subrun_id": made.subrun, "run_type": made.run_type}
        about |= {"camera": made.camera, "start": begin, "seconds": SUBRUN_SECONDS}
        file.attrs["kind"] = "r0"
        file.attrs.update(dict(sorted(about.items())))
        file.create_dataset("events", data=events, track_times=False)
        file.create_dataset("simulation", data=known, track_times=False)
        first = rng.integers(0, pulse.CAPACITORS, (len(names), MODULES)).astype(np.uint16)
        file.create_dataset("first_capacitor", data=first, track_times=False)
        shape = (len(names), PIXELS, pulse.SAMPLES)
        waveforms = file.create_dataset("waveform", shape, "u2", track_times=False)
        for event, one in enumerate(_digitise(names, photons, first, instrument(made.seed), rng)):
            waveforms[event] = one


def _kinds(made: Subrun, rng: Rng) -> list[str]:
    """Give the name of each event, in random order; the numbers of each name do not vary."""
    mix = MIXES[made.run_type] if made.mix is None else made.mix
    ends = np.rint(np.cumsum([*mix.values()]) / (sum(mix.values()) or 1) * made.events).astype(int)
    names = np.repeat([*mix], np.diff(ends, prepend=0))
    return [str(name) for name in rng.permutation(names)]


def _light(made: Subrun, names: list[str], rng: Rng) -> tuple[NDArray[Any], Photons]:
    """Give the truth of all events, and the light of showers and muons."""
    known = truth("", {"light": np.full(len(names), np.nan)})
    source = None if made.run_type == "GAMMA" else made.source
    parts: list[Photons] = []
    for name in ("gamma", "proton", "muon"):
        at = np.flatnonzero(np.array(names, dtype=object) == name)
        if len(at):
            rows, light = _make(name, len(at), rng, source)
            known[at] = rows
            parts.append(Photons(at[light.event], light.x, light.y, light.t))
    columns = [
        np.concatenate([getattr(part, axis) for part in parts]) if parts else np.empty(0)
        for axis in ("event", "x", "y", "t")
    ]
    order = np.argsort(columns[0], kind="stable")
    event, *others = (column[order] for column in columns)
    return known, Photons(event.astype(np.int64), *others)


def _make(name: str, number: int, rng: Rng, source: tuple[float, float] | None) -> Made:
    return make_muons(number, rng) if name == "muon" else make_showers(name, number, rng, source=source)


def _digitise(
    names: list[str], photons: Photons, first: NDArray[Any], camera_is: Instrument, rng: Rng
) -> Any:
    """Yield the waveform of each event (pixels × samples)."""
    pixel = camera().find_pixels(photons.x, photons.y)
    ends = np.searchsorted(photons.event, np.arange(len(names) + 1))
    ring = np.concatenate([camera_is.pedestals, camera_is.pedestals[:, : pulse.SAMPLES]], axis=1)
    windows = np.lib.stride_tricks.sliding_window_view(ring, pulse.SAMPLES, axis=1)
    pixels, gains = np.arange(PIXELS), camera_is.gains.astype(np.float32)[:, None]
    for event, name in enumerate(names):
        some = slice(ends[event], ends[event + 1])
        seen = pixel[some] >= 0
        light = _Light.of(pixel[some][seen], photons.t[some][seen], camera_is, rng)
        if name == "flatfield":
            light.flash(camera_is, rng)
        if name != "dark":
            light.add_night_sky(rng)
        baseline = -NIGHT_SKY * (name != "dark")  # the amplifiers pass no constant
        counts = light.shape(baseline)
        counts *= gains
        counts += windows[pixels, first[event][pixels // PER_MODULE]]
        counts += ELECTRONICS * rng.standard_normal(counts.shape, dtype=np.float32)
        yield np.clip(np.rint(counts), 0, pulse.HIGHEST).astype(np.uint16)


class _Light:
    """Charges (pe) by pixel and fine time of one event: (fine steps of a sample, samples with margins, pixels)."""

    def __init__(self) -> None:
        samples = pulse.SAMPLES + pulse.BEFORE + pulse.AFTER + 1
        self.charges = np.zeros((pulse.FINE, samples, PIXELS), np.float32)

    @classmethod
    def of(cls, pixel: NDArray[np.int64], t: Array, camera_is: Instrument, rng: Rng) -> _Light:
        made = cls()
        made.add(pixel, t + camera_is.delays[pixel], _charges(len(pixel), rng))
        return made

    def add(self, pixel: NDArray[np.int64], t: Array, charge: NDArray[Any]) -> None:
        """Add charges at times (ns into the waveform); those beyond its margins are lost."""
        fine = np.rint(t * pulse.FINE).astype(np.int64) + pulse.AFTER * pulse.FINE
        inside = (fine >= 0) & (fine < self.charges.shape[1] * pulse.FINE)
        fine, pixel = fine[inside], pixel[inside]
        place = (fine % pulse.FINE * self.charges.shape[1] + fine // pulse.FINE) * PIXELS + pixel
        sums = np.bincount(place, charge[inside], minlength=self.charges.size)
        self.charges += sums.reshape(self.charges.shape).astype(np.float32)

    def flash(self, camera_is: Instrument, rng: Rng) -> None:
        """Let the lamp of the flat field flash."""
        light = FLAT_LIGHT * max(0.0, rng.normal(1, FLAT_SPREAD))
        number = rng.poisson(light, PIXELS)
        charge = rng.standard_gamma(SHAPE_OF_CHARGE * np.maximum(number, 1e-9)) / SHAPE_OF_CHARGE
        self.add(np.arange(PIXELS), FLAT_TIME + camera_is.delays, charge)

    def add_night_sky(self, rng: Rng) -> None:
        number = rng.poisson(NIGHT_SKY * self.charges.size / pulse.FINE)
        places = rng.integers(0, self.charges.size, number)
        sums = np.bincount(places, _charges(number, rng), minlength=self.charges.size)
        self.charges += sums.reshape(self.charges.shape).astype(np.float32)

    def shape(self, baseline: float) -> NDArray[np.float32]:
        """Give the waveforms in pe a nanosecond (pixels × samples), about a baseline."""
        made = np.full((pulse.SAMPLES, PIXELS), baseline, np.float32)
        part = np.empty_like(made)
        for step, height in pulse.taps():
            shifted, fine = divmod(-step, pulse.FINE)
            start = pulse.AFTER + shifted
            np.multiply(self.charges[fine, start : start + pulse.SAMPLES], np.float32(height), out=part)
            made += part
        return np.ascontiguousarray(made.T)


def _charges(number: int, rng: Rng) -> NDArray[np.float32]:
    """Draw the charges of photo-electrons: mean 1, variance F² - 1."""
    return rng.standard_gamma(SHAPE_OF_CHARGE, number, dtype=np.float32) / np.float32(SHAPE_OF_CHARGE)
