import io

import numpy as np
import pytest
from PIL import Image

from penstock.workflows.reports.png import encode


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (200, 301)])
def test_an_image_is_read_back_pixel_by_pixel_in_its_colours(shape):
    pixels = np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)
    palette = np.random.default_rng(2).integers(0, 256, (256, 3), dtype=np.uint8)
    with Image.open(io.BytesIO(encode(pixels, palette.tobytes()))) as image:
        image.verify()
    with Image.open(io.BytesIO(encode(pixels, palette.tobytes()))) as image:
        assert np.array_equal(np.asarray(image), pixels)
        assert np.array_equal(np.asarray(image.convert("RGB")), palette[pixels])


def test_a_short_palette_is_enough_for_the_places_that_are_used():
    with Image.open(io.BytesIO(encode(np.array([[0, 1]], np.uint8), bytes(range(6))))) as image:
        assert np.asarray(image.convert("RGB")).tolist() == [[[0, 1, 2], [3, 4, 5]]]
