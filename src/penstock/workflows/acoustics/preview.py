"""A few recordings with the chosen parameters, and what all of them would cost: one HTML page."""

from __future__ import annotations

import base64
import os
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from penstock.workflows.acoustics.measure import Faulty, measure
from penstock.workflows.acoustics.recordings import Dataset, Recording
from penstock.workflows.acoustics.settings import Settings
from penstock.workflows.reports.page import write_page

PAGE = """{% for look in looks %}<h2>{{ look.name }}</h2>
{% if look.picture %}<figure><img src="data:image/png;base64,{{ look.picture }}" alt="{{ look.name }}">
<figcaption>{{ look.text }}</figcaption></figure>{% else %}<p>{{ look.text }}</p>{% endif %}
{% endfor %}"""


@dataclass(frozen=True, slots=True)
class Look:
    """One recording tried out; a faulty one has no picture."""

    name: str
    text: str
    picture: str = ""
    seconds: float = 0.0  # of sound
    cpu: float = 0.0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the whole dataset would take."""

    hours: float
    cpu_hours: float
    bytes: float


def choose(dataset: Dataset, count: int, seed: int = 0) -> list[Recording]:
    """Choose recordings at random, the same for the same seed, in the order of time."""
    fit = [each for each in dataset.recordings if each.header and each.begin and not each.faults]
    chosen = random.Random(seed).sample(fit, min(count, len(fit)))
    return sorted(chosen, key=lambda each: each.path)


def look_at(recording: Recording, settings: Settings) -> Look:
    """Measure one recording in a folder of its own that is removed again."""
    assert recording.begin is not None
    with tempfile.TemporaryDirectory() as folder:
        product, picture = Path(folder, "a.nc"), Path(folder, "a.png")
        before = os.times()
        try:
            made = measure(recording.path, recording.begin, settings, product=product, picture=picture)
        except Faulty as error:
            return Look(recording.name, f"left out: {error}")
        after = os.times()
        cpu = after.user + after.system - before.user - before.system
        size = product.stat().st_size + picture.stat().st_size
        shown = base64.b64encode(picture.read_bytes()).decode()
        text = f"{made.seconds:.6g} s, broadband {made.level:.1f} dB, {cpu:.2f} CPU-s, {size / 1e6:.2f} MB"
        return Look(recording.name, text, shown, made.seconds, cpu, size)


def estimate(looks: Sequence[Look], dataset: Dataset) -> Estimate:
    """Scale what the looks took to all that is fit to be used, by the length of the sound."""
    total = sum(each.header.duration for each in dataset.recordings if each.header and not each.faults)
    heard = sum(look.seconds for look in looks)
    factor = total / heard if heard else 0.0
    cpu, size = sum(look.cpu for look in looks), sum(look.bytes for look in looks)
    return Estimate(total / 3600, cpu * factor / 3600, size * factor)


def write_preview(path: Path, dataset: Dataset, settings: Settings, count: int, seed: int = 0) -> Estimate:
    """Try `count` recordings out and write the page; the first one is not counted, it loads libraries."""
    chosen = choose(dataset, count, seed)
    if chosen:
        look_at(chosen[0], settings)
    looks = [look_at(each, settings) for each in chosen]
    found = estimate(looks, dataset)
    facts = [
        ("all recordings", f"{len(dataset.recordings)}, {found.hours:.3f} h that can be used"),
        ("frames", f"{settings.nfft} samples, hop {settings.hop}, window {settings.window}"),
        ("processor time", f"about {found.cpu_hours * 60:.2g} minutes on one core"),
        ("space", f"about {found.bytes / 1e6:.1f} MB of matrices and pictures"),
    ]
    write_page(path, PAGE, title="Preview", facts=facts, looks=looks)
    return found
