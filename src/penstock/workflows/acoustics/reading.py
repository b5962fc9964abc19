"""Samples of one channel, a block at a time."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from penstock.workflows.acoustics.headers import Patch, Unreadable, read_header

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK = 1 << 18  # samples: one megabyte of float32


class Patched(io.RawIOBase):
    """A file in which other bytes stand at some places: lengths that a recorder never wrote."""

    def __init__(self, path: str, patches: Sequence[Patch]) -> None:
        self._file, self._patches = open(path, "rb", buffering=0), patches  # noqa: SIM115

    def readinto(self, buffer: Any) -> int:
        begin = self._file.tell()
        count = self._file.readinto(buffer) or 0
        for place, right in self._patches:
            first, last = max(place, begin), min(place + len(right), begin + count)
            if first < last:
                buffer[first - begin : last - begin] = right[first - place : last - place]
        return count

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()


@contextmanager
def open_recording(path: str) -> Iterator[Any]:
    """Give what libsndfile opens: the path, or the file with the length that its header lacks."""
    patches = read_header(path).patches
    if not patches:
        yield path
        return
    with closing(Patched(path, patches)) as file:
        yield file


def read_blocks(path: str, channel: int, block: int = BLOCK, *, skip: int = 0) -> Iterator[NDArray[Any]]:
    """Read one channel (the first is 1) as float32, full scale being 1; begin after `skip` samples."""
    import soundfile

    try:
        with open_recording(path) as source, soundfile.SoundFile(source) as file:
            if channel > file.channels:
                raise Unreadable(f"channel {channel} is requested, but the file has {file.channels}")
            if skip:
                file.seek(skip)
            while len(samples := file.read(max(1, block // file.channels), dtype="float32", always_2d=True)):
                yield samples[:, channel - 1]
    except soundfile.LibsndfileError as error:
        raise Unreadable(f"the samples cannot be read: {error.error_string.rstrip('.')}") from error
