"""Choose images that ctapipe's values are recorded for: showers, rings, and what is at the edge of being defined."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

from penstock.workflows.telescope.toy.camera import PIXELS, camera
from penstock.workflows.telescope.toy.dl1a import calibrate, is_cosmic
from penstock.workflows.telescope.toy.gains import make_calibration, read_calibration
from penstock.workflows.telescope.toy.pedestals import make_pedestals
from penstock.workflows.telescope.toy.simulator import Subrun, simulate

MOST = 72
DARK = 3.5  # pe: what is dimmer is left out, and keeps the file small


def showers() -> tuple[np.ndarray, np.ndarray]:
    """Give images and times of a short run."""
    with tempfile.TemporaryDirectory() as name:
        raw = {run_type: Path(name, run_type) for run_type in ("DRS4", "PEDCALIB", "DATA")}
        for run, (run_type, path) in enumerate(raw.items(), 1804):
            simulate(path, Subrun(run, 0, run_type, 120))
        make_pedestals([raw["DRS4"]], Path(name, "p"))
        make_calibration([raw["PEDCALIB"]], Path(name, "p"), Path(name, "c"))
        images, _ = calibrate(raw["DATA"], read_calibration(Path(name, "c")))
    chosen = images.some(is_cosmic(images.events))
    return chosen.image[:MOST], chosen.peak_time[:MOST]


def row_of_pixels() -> np.ndarray:
    """Give an image that is a straight line: it has no width."""
    image, made = np.zeros(PIXELS), camera()
    image[(np.abs(made.y) < 0.01) & (np.abs(made.x) < 0.16)] = [10, 12, 20, 30, 14, 9, 11]
    return image


def three_pixels() -> np.ndarray:
    """Give the smallest image that is kept, and bright pixels alone, which are not."""
    image, first = np.zeros(PIXELS), camera().neighbours[0]
    image[[0, first[0], first[1], 1500]] = 9, 17, 12, 50
    return image


def main(path: Path) -> None:
    image, time = showers()
    image = np.vstack([image, row_of_pixels(), three_pixels(), np.zeros(PIXELS)])
    time = np.vstack([time, np.tile(np.arange(PIXELS) % 7 + 10.0, (3, 1))])
    seen = image >= DARK
    charge = np.where(seen, np.rint(image * 8), 0).astype(np.int16)
    np.savez_compressed(path, image=charge, time=np.where(seen, np.rint(time * 64), 0).astype(np.uint16))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images.npz")
