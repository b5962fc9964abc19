"""What a recording says about itself, read from its first bytes.

WAV (RIFF, RF64, BW64) and FLAC are read here, for speed and because libsndfile hides a length that
the header promises and the file lacks; every other format is left to libsndfile.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN_LENGTH = (
    0xFFFFFFFF  # written by programs that stream; also marks RF64, whose ds64 chunk has the length
)
HEAD = 4096


class Unreadable(Exception):
    """The header is no header of a recording."""


@dataclass(frozen=True, slots=True)
class Header:
    """The form of a recording; `frames` lie in the file, `promised` stand in its header."""

    format: str
    rate: int
    channels: int
    bits: int
    floating: bool
    frames: int
    promised: int
    size: int

    @property
    def duration(self) -> float:
        """Seconds of sound that the header promises."""
        return self.promised / self.rate


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read the header of one recording, or raise Unreadable with the reason."""
    try:
        with open(path, "rb", buffering=HEAD) as file:
            size = os.fstat(file.fileno()).st_size
            magic = file.read(12)
            return _reader(magic)(file, size, path)
    except (OSError, struct.error) as error:
        raise Unreadable(f"the file cannot be read: {error}") from error


Reader = Callable[[BinaryIO, int, "str | os.PathLike[str]"], Header]


def _reader(magic: bytes) -> Reader:
    if not magic:
        return _empty
    if magic[:4] in (b"RIFF", b"RF64", b"BW64") and magic[8:] == b"WAVE":
        return _read_wav
    return _read_flac if magic[:4] == b"fLaC" else _read_other


def _empty(file: BinaryIO, size: int, path: str | os.PathLike[str]) -> Header:
    raise Unreadable("the file has no bytes")


def _read_wav(file: BinaryIO, size: int, path: str | os.PathLike[str]) -> Header:
    form, long_length, place = None, None, 12
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            form = _wav_format(file.read(min(length, 40)))
        elif name == b"ds64":
            long_length = struct.unpack("<QQ", file.read(16))[1]
        elif name == b"data":
            if form is None:
                return _read_other(file, size, path)
            return _wav_header(
                form, long_length if length == UNKNOWN_LENGTH else length, size - place - 8, size
            )
        place += 8 + length + length % 2
    raise Unreadable("the WAV file ends before its data")


def _wav_format(chunk: bytes) -> tuple[int, int, int, int, int] | None:
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == EXTENSIBLE:
        tag = struct.unpack("<H", chunk[24:26])[0]
    return (tag, channels, rate, align, bits) if tag in (PCM, FLOAT) and rate and align else None


def _wav_header(form: tuple[int, int, int, int, int], length: int | None, there: int, size: int) -> Header:
    tag, channels, rate, align, bits = form
    promised = there if length is None else length
    frames = min(promised, there) // align
    return Header("WAV", rate, channels, bits, tag == FLOAT, frames, promised // align, size)


def _read_flac(file: BinaryIO, size: int, path: str | os.PathLike[str]) -> Header:
    file.seek(4)
    block = file.read(38)
    if block[0] & 0x7F != 0:
        return _read_other(file, size, path)
    packed = int.from_bytes(block[14:22], "big")  # 20 bits rate, 3 channels - 1, 5 bits - 1, 36 samples
    frames = packed & 0xFFFFFFFFF
    if not frames or not packed >> 44:
        return _read_other(file, size, path)
    channels, bits = (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    return Header("FLAC", packed >> 44, channels, bits, False, frames, frames, size)


BITS = {
    "PCM_S8": 8,
    "PCM_U8": 8,
    "PCM_16": 16,
    "PCM_24": 24,
    "PCM_32": 32,
    "FLOAT": 32,
    "DOUBLE": 64,
}


def _read_other(file: BinaryIO, size: int, path: str | os.PathLike[str]) -> Header:
    import soundfile

    try:
        info = soundfile.info(os.fspath(path))
    except soundfile.LibsndfileError as error:
        raise Unreadable(f"no known audio format: {error.error_string.rstrip('.')}") from error
    bits, floating = BITS.get(info.subtype, 16), info.subtype in ("FLOAT", "DOUBLE")
    return Header(info.format, info.samplerate, info.channels, bits, floating, info.frames, info.frames, size)
