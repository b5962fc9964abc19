"""Muons among the events of a subrun."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import camera
from penstock.workflows.telescope.toy.cleaning import TailCuts
from penstock.workflows.telescope.toy.dl1a import Images
from penstock.workflows.telescope.toy.rings import find_rings, is_candidate, is_ring


def find_muons(images: Images) -> dict[str, NDArray[Any]]:
    """Give events that are rings, and the rings; both are empty if there is none."""
    kept = TailCuts().clean(camera(), images.image)
    at = np.flatnonzero(is_candidate(images.image, kept))
    rings = find_rings(camera(), images.image[at], kept[at])
    good = is_ring(rings)
    return {"events": images.events[at[good]], "rings": rings[good]}
