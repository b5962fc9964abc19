"""Tail cuts with two levels: which pixels of an image hold light of the shower."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.workflows.telescope.toy.camera import Camera

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

BLOCK = 128  # events whose images and masks stay in the cache of a core


@dataclass(frozen=True)
class TailCuts:
    """A pixel of at least `picture` (pe) with `neighbours` others beside it is kept, and so is one of at least `boundary`
    beside such a pixel.
    """

    picture: float = 8.0
    boundary: float = 4.0
    neighbours: int = 2

    def clean(self, camera: Camera, images: NDArray[Any]) -> NDArray[np.bool_]:
        """Give the pixels that are kept (events × pixels), for images that are few."""
        made = np.zeros(images.shape, np.bool_)
        made.ravel()[self.find(camera, images)] = True
        return made

    def find(self, camera: Camera, images: NDArray[Any]) -> Indices:
        """Give the places of the pixels that are kept in images (events × pixels) that are taken as one row, ascending."""
        parts = [
            self._find(camera, images[start : start + BLOCK]) + start * len(camera)
            for start in range(0, len(images), BLOCK)
        ]
        return np.concatenate([np.empty(0, np.int64), *parts])

    def _find(self, camera: Camera, images: NDArray[Any]) -> Indices:
        wide = len(camera) + 1  # with a pixel that is never bright, for neighbours that are not there
        bright = np.zeros((len(images), wide), np.bool_)
        np.greater_equal(images, images.dtype.type(self.boundary), out=bright[:, :-1])
        event, pixel = np.divmod(np.flatnonzero(images >= images.dtype.type(self.picture)), len(camera))
        place = event * wide + pixel
        around = (event * wide)[:, None] + camera.neighbours[pixel]
        picture = np.zeros(bright.size, np.bool_)
        picture[place] = True
        core = np.count_nonzero(picture[around], axis=1) >= self.neighbours
        place, around = place[core], around[core]
        flat = bright.ravel()
        kept = np.zeros(bright.size, np.bool_)
        kept[around.ravel()] = True
        kept &= flat
        kept[place[flat[around].any(axis=1)]] = True
        kept.reshape(bright.shape)[:, -1] = False
        found = np.flatnonzero(kept)
        return found - found // wide


@dataclass(frozen=True)
class Pixels:
    """The kept pixels of all images that have some, in one list, image by image: `image` is the number of the row that a
    sum of `total` has for it, `events` which event that is.
    """

    image: Indices
    pixel: Indices
    charge: Array
    time: Array
    events: Indices

    @classmethod
    def of(cls, places: Indices, images: NDArray[Any], times: NDArray[Any]) -> Pixels:
        """Gather what is at the places that `TailCuts.find` gives."""
        event, pixel = np.divmod(places, images.shape[1])
        new = np.diff(event, prepend=-1) != 0
        charge, time = (each.reshape(-1)[places].astype(np.float64) for each in (images, times))
        return cls(np.cumsum(new) - 1, pixel, charge, time, event[new])

    @cached_property
    def starts(self) -> Indices:
        """Where each image begins in the list."""
        return np.flatnonzero(np.diff(self.image, prepend=-1))

    @cached_property
    def counts(self) -> Indices:
        """How many pixels each image has."""
        return np.bincount(self.image, minlength=len(self.events))

    def total(self, values: Array) -> Array:
        """Sum values of pixels by image."""
        sums = np.bincount(self.image, values, minlength=len(self.events))
        return sums.astype(np.float64, copy=False)  # those of nothing are integers

    def mean(self, values: Array) -> Array:
        """Give the mean of values of pixels by image."""
        return self.total(values) / self.counts

    def largest(self, values: Array) -> Array:
        """Give the largest of values by image."""
        return np.maximum.reduceat(values, self.starts) if len(values) else np.empty(0)

    def smallest(self, values: Array) -> Array:
        """Give the smallest of values by image."""
        return np.minimum.reduceat(values, self.starts) if len(values) else np.empty(0)

    def parts(self, most: int) -> Iterator[Pixels]:
        """Cut the list between images into parts of about `most` pixels."""
        ends = np.append(self.starts, len(self.image))
        first = 0
        while first < len(self.events):
            last = max(first + 1, int(np.searchsorted(ends, ends[first] + most, side="right")) - 1)
            some = slice(int(ends[first]), int(ends[last]))
            columns = (each[some] for each in (self.pixel, self.charge, self.time))
            yield Pixels(self.image[some] - first, *columns, self.events[first:last])
            first = last
