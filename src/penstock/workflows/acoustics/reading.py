"""Samples of one channel, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from penstock.workflows.acoustics.headers import Unreadable

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1 << 18  # samples: one megabyte of float32


def read_blocks(path: str, channel: int, block: int = BLOCK, *, skip: int = 0) -> Iterator[NDArray[Any]]:
    """Read one channel (the first is 1) as float32, full scale being 1; begin after `skip` samples."""
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if channel > file.channels:
                raise Unreadable(f"channel {channel} is asked for and the file has {file.channels}")
            if skip:
                file.seek(skip)
            while len(samples := file.read(max(1, block // file.channels), dtype="float32", always_2d=True)):
                yield samples[:, channel - 1]
    except soundfile.LibsndfileError as error:
        raise Unreadable(f"the samples cannot be read: {error.error_string.rstrip('.')}") from error
