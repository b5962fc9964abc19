"""What a recording says about itself, read from its first bytes.

WAV (RIFF, RF64, BW64) and FLAC are read here, for speed and because libsndfile hides a length that
the header promises and the file lacks; every other format is left to libsndfile.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, NamedTuple

from penstock.workflows.acoustics import flac, xwav

PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
UNKNOWN_LENGTH = (
    0xFFFFFFFF  # written by programs that stream; also marks RF64, whose ds64 chunk has the length
)
NEVER_WRITTEN = range(0x7FFFF000, 0x80000100)  # what SoX, arecord and others write while they stream
NOTES, MOST_NOTE = (b"LIST", b"guan", b"wamd", b"harp"), xwav.HEAD + (32 << 16)
MOST_FRAMES = 1 << 40
HEAD = 4096

Patch = tuple[int, bytes]  # what should stand at a place of the file


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
    told: bool = True  # the header says how long the recording is
    patches: tuple[Patch, ...] = ()  # what libsndfile has to read instead, to read it all
    blocks: tuple[xwav.Block, ...] = ()  # of a recording that tells the times of its parts
    notes: tuple[tuple[str, bytes], ...] = ()  # what the recorder wrote of itself, by the name of its chunk

    @property
    def duration(self) -> float:
        """Seconds of sound that the header promises."""
        return self.promised / self.rate

    @property
    def length(self) -> float:
        """Seconds from the first sample to the last, pauses included."""
        if not self.blocks:
            return self.duration
        return self.blocks[-1].begin + self.blocks[-1].count / self.rate - self.blocks[0].begin


def read_header(path: str | os.PathLike[str]) -> Header:
    """Read the header of one recording, or raise Unreadable with the reason."""
    try:
        with open(path, "rb", buffering=HEAD) as file:
            size = os.fstat(file.fileno()).st_size
            magic = file.read(12)
            header = _reader(magic)(file, size, path)
    except OSError as error:
        raise Unreadable(f"the file cannot be read: {error}") from error
    except (struct.error, ValueError, ArithmeticError, LookupError) as error:
        raise Unreadable(f"the header cannot be read: {error}") from error
    if header.promised > MOST_FRAMES:
        raise Unreadable("the header does not give the length of the recording")
    return header


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
    form, long, found = None, (0, UNKNOWN_LENGTH), dict[str, bytes]()
    header: Header | None = None
    for name, place, length in _chunks(file, size):
        if name == b"fmt ":
            form = _wav_format(file.read(min(length, 40)))
        elif name == b"ds64":
            long = place + 8, struct.unpack("<QQ", file.read(16))[1]
        elif name == b"data" and header is None:
            if form is None:
                return _read_other(file, size, path)
            data = Data(place, *(long if length == UNKNOWN_LENGTH and long[0] else (0, length)))
            header = _wav_header(form, data, _is_empty(file, place, size), size)
            if not header.told or header.frames < header.promised or data.long:
                break
        elif name in NOTES:
            found |= _notes(name.decode(), file.read(min(length, MOST_NOTE)))
    if header is None or form is None:
        raise Unreadable("the WAV file ends before its data")
    blocks = xwav.read_blocks(found.get("harp", b""), data.place, form[3], header.frames)
    return replace(header, blocks=blocks, notes=tuple(found.items()))


def _chunks(file: BinaryIO, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Give the name of each chunk, where its content begins (there the file stands), and its length."""
    place = 12
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        yield name, place + 8, length
        place += 8 + length + length % 2


def _notes(name: str, content: bytes) -> dict[str, bytes]:
    """Give what a chunk holds; a list of information, each of its parts."""
    if name != "LIST":
        return {name: content}
    found, place = dict[str, bytes](), 4
    while content[:4] == b"INFO" and place + 8 <= len(content):
        part, length = struct.unpack_from("<4sI", content, place)
        found[part.decode("ascii", "replace")] = content[place + 8 : place + 8 + length].rstrip(b"\0")
        place += 8 + length + length % 2
    return found


class Data(NamedTuple):
    """Where samples begin, where their length stands in 64 bits (0: in 32 before them), and what it says."""

    place: int
    long: int
    length: int

    @property
    def known(self) -> bool:
        return self.length not in (0, UNKNOWN_LENGTH, *NEVER_WRITTEN)

    def patch(self, there: int) -> tuple[Patch, ...]:
        """Say what has to stand there for `there` bytes to be read."""
        if self.long:
            return ((self.long, struct.pack("<Q", there)),)
        return ((self.place - 4, struct.pack("<I", min(there, UNKNOWN_LENGTH - 1))),)


def _is_empty(file: BinaryIO, place: int, size: int) -> bool:
    """Say whether chunks, or nothing, follow from here to the end: then a length of 0 is meant."""
    while place + 8 <= size:
        file.seek(place)
        name, length = struct.unpack("<4sI", file.read(8))
        if not (name.isascii() and name.decode().isprintable()):
            return False
        place += 8 + length + length % 2
    return 0 <= place - size <= 1


def _wav_format(chunk: bytes) -> tuple[int, int, int, int, int] | None:
    tag, channels, rate, _, align, bits = struct.unpack("<HHIIHH", chunk[:16])
    if tag == EXTENSIBLE:
        tag = struct.unpack("<H", chunk[24:26])[0]
    return (tag, channels, rate, align, bits) if tag in (PCM, FLOAT) and rate and align else None


def _wav_header(form: tuple[int, int, int, int, int], data: Data, empty: bool, size: int) -> Header:
    tag, channels, rate, align, bits = form
    there = size - data.place
    told = data.known or (data.length == 0 and empty) or data.length == there
    promised = data.length if told else there
    frames = min(promised, there) // align
    patches = () if told else data.patch(there // align * align)
    return Header("WAV", rate, channels, bits, tag == FLOAT, frames, promised // align, size, told, patches)


def _read_flac(file: BinaryIO, size: int, path: str | os.PathLike[str]) -> Header:
    file.seek(4)
    block = file.read(38)
    if block[0] & 0x7F != 0:
        return _read_other(file, size, path)
    packed = int.from_bytes(block[14:22], "big")  # 20 bits rate, 3 channels - 1, 5 bits - 1, 36 samples
    rate, channels, bits = packed >> 44, (packed >> 41 & 7) + 1, (packed >> 36 & 31) + 1
    frames, patches = packed & 0xFFFFFFFFF, ()
    if not frames:
        stream = flac.Stream(rate, channels, bits, int.from_bytes(block[4:6], "big"))
        frames = flac.count_samples(file, size, stream)
        patches = ((18, flac.patch_of(block[14:22], frames)),)
    if not rate:
        return _read_other(file, size, path)
    return Header("FLAC", rate, channels, bits, False, frames, frames, size, not patches, patches)


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
