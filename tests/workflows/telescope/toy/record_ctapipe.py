"""Write what ctapipe makes of recorded images, as JSON: run it with the Python of an environment that has ctapipe.

    python -m tests.workflows.telescope.toy.choose_images                       # makes images.npz anew, with ours
    .venv-ctapipe/bin/python tests/workflows/telescope/toy/record_ctapipe.py > ctapipe-VERSION.json

It needs nothing of penstock but the file of the camera, for the places of the pixels.
"""

import importlib.util
import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from ctapipe import __version__
from ctapipe.containers import MuonRingContainer
from ctapipe.image import (
    concentration_parameters,
    descriptive_statistics,
    hillas_parameters,
    leakage_parameters,
    morphology_parameters,
    tailcuts_clean,
    timing_parameters,
)
from ctapipe.image.muon import kundu_chaudhuri_circle_fit, ring_completeness, ring_containment
from ctapipe.instrument import CameraGeometry

LEAST_PIXELS = 40  # of an image that a ring is fitted to
HERE = Path(__file__).parent
CAMERA = HERE.parents[3] / "src/penstock/workflows/telescope/toy/camera.py"


def geometry():
    """Give the camera to ctapipe, which finds the neighbours by itself."""
    spec = importlib.util.spec_from_file_location("toy_camera", CAMERA)
    module = importlib.util.module_from_spec(spec)
    sys.modules["toy_camera"] = module
    spec.loader.exec_module(module)
    made = module.camera()
    places = {
        "pix_x": made.x * u.m,
        "pix_y": made.y * u.m,
        "pix_area": np.full(len(made.x), made.area) * u.m**2,
    }
    return CameraGeometry(
        "toy", np.arange(len(made.x)), pix_type="hexagon", **places
    ), module.METRES_PER_DEGREE


def plain(container):
    """Give the numbers of a container, in m, radians and samples."""
    made = {}
    for name, value in container.items():
        if hasattr(value, "unit"):
            unit = value.unit
            value = value.to_value(u.rad if unit.is_equivalent(u.rad) else unit)
        made[name] = float(value)
    return made


def parameters(camera, image, time, mask):
    """Give all parameters of one image, named as those of the toy chain."""
    some, charge = camera[mask], image[mask]
    hillas = hillas_parameters(some, charge)
    groups = {
        "hillas": hillas,
        "leakage": leakage_parameters(camera, image, mask),
        "concentration": concentration_parameters(some, charge, hillas),
        "morphology": morphology_parameters(camera, mask),
        "timing": timing_parameters(some, charge, time[mask], hillas),
        "intensity": descriptive_statistics(charge),
        "peak_time": descriptive_statistics(time[mask]),
    }
    return {f"{group}_{name}": value for group, each in groups.items() for name, value in plain(each).items()}


def ring(camera, degree, image, mask):
    """Fit a ring three times, as MuonProcessor does; everything in degrees."""
    x, y = (each.to_value(u.m) / degree * u.deg for each in (camera.pix_x, camera.pix_y))
    first = mask
    for _ in range(3):
        radius, at_x, at_y, *_ = kundu_chaudhuri_circle_fit(x[mask], y[mask], image[mask])
        mask = np.abs(np.hypot(x - at_x, y - at_y) - radius) / radius < 0.4
    made = MuonRingContainer(  # 0.28 gives errors, too: they are left out
        radius=radius, center_fov_lon=at_x, center_fov_lat=at_y, center_distance=np.hypot(at_x, at_y)
    )
    off = np.hypot(x - at_x, y - at_y) - radius
    return {
        "ring_radius": radius.to_value(u.deg),
        "ring_center_x": at_x.to_value(u.deg),
        "ring_center_y": at_y.to_value(u.deg),
        "ring_completeness": float(ring_completeness(x, y, image, made)),
        "ring_containment": float(ring_containment(made, camera_radius(x, y))),
        "ring_mean_squared_error": float(np.average(off[first].to_value(u.deg) ** 2, weights=image[first])),
    }


def camera_radius(x, y):
    return np.hypot(x, y).max()


def main():
    given = np.load(sys.argv[1] if len(sys.argv) > 1 else HERE / "images.npz")
    camera, degree = geometry()
    rows = []
    for image, time in zip(given["image"] / 8.0, given["time"] / 64.0, strict=True):
        mask = tailcuts_clean(camera, image, 8, 4, min_number_picture_neighbors=2)
        row = {"pixels": np.flatnonzero(mask).tolist()}
        if mask.any():
            row |= parameters(camera, image, time, mask)
        if mask.sum() >= LEAST_PIXELS:
            row |= ring(camera, degree, image, mask)
        rows.append(row)
    print(json.dumps({"version": __version__, "rows": rows}))


if __name__ == "__main__":
    main()
