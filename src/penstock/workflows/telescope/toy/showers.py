"""Light of showers and muons in the camera, made up: photo-electrons with their positions and times.

No cascade is simulated: an image is an ellipse whose size, shape, distance from the source and time gradient follow from
energy and impact roughly as they do for a telescope of 23 m; see docs/telescope.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import METRES_PER_DEGREE
from penstock.workflows.telescope.toy.files import table

Array = NDArray[np.float64]
Rng = np.random.Generator

PARTICLES = {"gamma": 0, "muon": 13, "proton": 101}  # as CORSIKA and ctapipe number them
NONE = 255  # of the truth of events that are no particle
ENERGIES = (0.03, 20.0)  # TeV
INDEX = 2.0  # of the power law that energies are drawn from
LIGHT_POOL = 120.0  # m: so far from the axis a shower is about as bright
FARTHEST = 220.0  # m
PE_PER_TEV = 2600.0  # in the pool of light
LEAST_LIGHT = 90.0  # pe: dimmer showers do not trigger
LARGEST_OFFSET = 2.0  # degrees: centres farther out do not trigger
FULL_FIELD = 1.5  # degrees: within it the sources of diffuse particles lie
WOBBLE = (0.4, 0.0)  # degrees, of the source from the centre
CORE_TIME = 16.0  # ns into the waveform


@dataclass(frozen=True)
class Photons:
    """Photo-electrons: the event of each (from 0, ascending), its position (m) and its time (ns into the waveform)."""

    event: NDArray[np.int64]
    x: Array
    y: Array
    t: Array


Made = tuple[NDArray[Any], Photons]


def make_showers(particle: str, number: int, rng: Rng, *, source: tuple[float, float] | None) -> Made:
    """Make showers that trigger; `source` (degrees) is where gammas come from, None if from everywhere.

    Gives the truth, a row a shower, and the light.
    """
    drawn = _concatenate(number, lambda: _draw(particle, max(64, 2 * number), rng, source))
    light = rng.poisson(drawn["light"])
    event = np.repeat(np.arange(number), light)
    along, across = rng.standard_normal(len(event)), rng.standard_normal(len(event))
    along *= np.where(along < 0, 0.75, 1.25)  # the tail is farther from the source than the head
    near = rng.random(len(event)) < drawn["main"][event]
    length, width = drawn["length"][event], drawn["width"][event]
    along, across = along * length, across * width
    blob = np.where(near, 0.0, 1.0)
    x = drawn["x"][event] + blob * drawn["blob_x"][event]
    y = drawn["y"][event] + blob * drawn["blob_y"][event]
    cos, sin = np.cos(drawn["psi"])[event], np.sin(drawn["psi"])[event]
    t = CORE_TIME + drawn["gradient"][event] * along + rng.normal(0, 0.7, len(event))
    photons = Photons(event, *_to_metres(x + along * cos - across * sin, y + along * sin + across * cos), t)
    return truth(particle, drawn), photons


def _draw(particle: str, number: int, rng: Rng, source: tuple[float, float] | None) -> dict[str, Array]:
    """Draw showers in degrees, those that trigger."""
    low, high = (end ** (1 - INDEX) for end in ENERGIES)
    energy = (low + (high - low) * rng.random(number)) ** (1 / (1 - INDEX))
    impact = FARTHEST * np.sqrt(rng.random(number))
    seen = energy * (1.0 if particle == "gamma" else 0.4) * _log_normal(rng, number, 0.08)
    light = PE_PER_TEV * seen * np.exp(-np.maximum(impact - LIGHT_POOL, 0) / 60)
    if particle == "gamma" and source is not None:
        at = np.broadcast_to(np.array(source)[:, None], (2, number))
    else:
        turn, distance = 2 * np.pi * rng.random(number), FULL_FIELD * np.sqrt(rng.random(number))
        at = distance * np.stack([np.cos(turn), np.sin(turn)])
    psi = rng.uniform(-np.pi, np.pi, number)  # from the source to the centre of the image
    disp = (0.3 + 0.85 * impact / 100) * (1 + 0.05 * np.log10(seen)) * _log_normal(rng, number, 0.05)
    x, y = at[0] + disp * np.cos(psi), at[1] + disp * np.sin(psi)
    made = {"energy": energy, "impact": impact, "light": light, "psi": psi, "x": x, "y": y}
    made |= {"source_x": at[0], "source_y": at[1], "gradient": 7.0 * (impact / 100 - 0.5)}
    made |= _shape(particle, light, impact, rng)
    triggered = (light > LEAST_LIGHT) & (np.hypot(x, y) < LARGEST_OFFSET)
    return {name: column[triggered] for name, column in made.items()}


def _shape(particle: str, light: Array, impact: Array, rng: Rng) -> dict[str, Array]:
    """Give lengths and widths (degrees), and a second blob: what part of the light is not in it, and where it is."""
    number, growth = len(light), np.log10(light / 100)
    width = (0.050 + 0.010 * growth) * _log_normal(rng, number, 0.10)
    length = (0.13 + 0.09 * impact / 100 + 0.02 * growth) * _log_normal(rng, number, 0.08)
    if particle == "gamma":
        return {"width": width, "length": length, "main": np.ones(number)} | _blob(rng, number, 0.0)
    width, length = (
        each * factor * _log_normal(rng, number, 0.25) for each, factor in ((width, 1.9), (length, 1.25))
    )
    main = np.clip(rng.normal(0.75, 0.2, number), 0.4, 1.0)
    return {"width": np.minimum(width, length), "length": length, "main": main} | _blob(rng, number, 0.45)


def _blob(rng: Rng, number: int, distance: float) -> dict[str, Array]:
    return {f"blob_{axis}": distance * rng.standard_normal(number) for axis in "xy"}


def _log_normal(rng: Rng, number: int, sigma: float) -> Array:
    return np.exp(sigma * rng.standard_normal(number))


def _concatenate(number: int, draw: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    """Draw until there are enough."""
    parts = [draw()]
    while sum(len(each["light"]) for each in parts) < number:
        parts.append(draw())
    return {name: np.concatenate([each[name] for each in parts])[:number] for name in parts[0]}


def make_muons(number: int, rng: Rng) -> Made:
    """Make rings of muons that hit the mirror; gives the truth and the light."""
    centre = rng.normal(0, 0.35, (2, number))
    radius, width = rng.uniform(1.0, 1.25, number), rng.uniform(0.03, 0.06, number)
    light = rng.normal(2400, 250, number)
    uneven, towards = rng.uniform(0, 0.5, number), rng.uniform(0, 2 * np.pi, number)
    event = np.repeat(np.arange(number), rng.poisson(light))
    angle = rng.uniform(-np.pi, np.pi, len(event))
    turned = rng.random(len(event)) < uneven[event] * (1 - np.cos(angle)) / 2
    angle = np.where(turned, np.pi - angle, angle) + towards[event]  # more light on one side
    at = radius[event] + width[event] * rng.standard_normal(len(event))
    x, y = (centre[i][event] + at * np.array((np.cos, np.sin))[i](angle) for i in range(2))
    t = CORE_TIME + rng.normal(0, 0.5, len(event))
    energy = rng.uniform(0.006, 0.05, number)
    drawn = {"energy": energy, "impact": 12 * np.sqrt(rng.random(number)), "light": light, "radius": radius}
    return truth("muon", drawn | {"x": centre[0], "y": centre[1]}), Photons(event, *_to_metres(x, y), t)


TRUTH = {
    "energy": "TeV",
    "impact": "m",
    "light": "pe",
    "source_x": "m",
    "source_y": "m",
    "x": "m",
    "y": "m",
    "radius": "m",
}


def truth(particle: str, drawn: Mapping[str, Array]) -> NDArray[Any]:
    """Make rows of the truth from what was drawn, in degrees; what does not apply is NaN."""
    rows = len(drawn["light"])
    columns: dict[str, NDArray[Any]] = {"particle": np.full(rows, PARTICLES.get(particle, NONE), np.uint8)}
    for name in TRUTH:
        scale = METRES_PER_DEGREE if name in ("source_x", "source_y", "x", "y", "radius") else 1.0
        columns[name] = scale * drawn[name] if name in drawn else np.full(rows, np.nan)
    return table(columns)


def _to_metres(*degrees: Array) -> list[Array]:
    return [each * METRES_PER_DEGREE for each in degrees]
