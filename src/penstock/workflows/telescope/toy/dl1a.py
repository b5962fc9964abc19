"""From raw events to calibrated images (DL1a): charges in photo-electrons, and times."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import PIXELS
from penstock.workflows.telescope.toy.extraction import CONTAINED, extract
from penstock.workflows.telescope.toy.files import about_of, check_camera, open_file, read
from penstock.workflows.telescope.toy.gains import MIDDLE, Calibration
from penstock.workflows.telescope.toy.pedestals import raw_blocks
from penstock.workflows.telescope.toy.simulator import COSMIC, SKY_PEDESTAL


@dataclass(frozen=True)
class Images:
    """Events with their images (events × pixels): charges (pe) and times of pulses (samples); `truth` if simulated."""

    events: NDArray[Any]
    image: NDArray[np.float32]
    peak_time: NDArray[np.float32]
    truth: NDArray[Any] | None

    def some(self, chosen: NDArray[np.bool_]) -> Images:
        """Give some of them."""
        truth = None if self.truth is None else self.truth[chosen]
        return Images(self.events[chosen], self.image[chosen], self.peak_time[chosen], truth)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Give what is written, by its names in a file."""
        made = {"events": self.events, "image": self.image, "peak_time": self.peak_time}
        return made if self.truth is None else made | {"simulation": self.truth}


def calibrate(path: Path, by: Calibration) -> tuple[Images, dict[str, Any]]:
    """Calibrate the raw events of a file; gives their images and what the file says about itself.

    Pixels without a gain are 0. The charge of a pedestal is taken in the middle, where no peak was looked for.
    """
    with open_file(path, "r0") as file:
        about = about_of(file)
        check_camera(path, about, by.path, by.about)
        events = read(file, "events")
        truth = read(file, "simulation") if "simulation" in file else None
    image, time = (np.empty((len(events), PIXELS), np.float32) for _ in range(2))
    gains = by.gains
    factor = np.where(gains.usable, 1 / (gains.gain * CONTAINED), 0).astype(np.float32)
    delay, start = gains.delay.astype(np.float32), 0
    for raw in raw_blocks(path):
        some = slice(start, start + len(raw.waveform))
        waveform = by.pedestals.subtract(raw)
        charge, at = extract(waveform)
        plain = events["event_type"][some] == SKY_PEDESTAL
        charge[plain] = extract(waveform[plain], MIDDLE)[0]
        image[some], time[some] = charge * factor, at - delay
        start = some.stop
    return Images(events, image, time, truth), about


def is_cosmic(events: NDArray[Any]) -> NDArray[np.bool_]:
    """Say which events are neither pedestals nor flat fields."""
    return events["event_type"] == COSMIC


def read_images(path: Path, kind: str = "dl1") -> tuple[Images, dict[str, Any]]:
    """Read a file of images."""
    with open_file(path, kind) as file:
        truth = read(file, "simulation") if "simulation" in file else None
        columns = (read(file, name) for name in ("events", "image", "peak_time"))
        return Images(*columns, truth), about_of(file)
