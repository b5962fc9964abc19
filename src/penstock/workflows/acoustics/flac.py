"""How long a FLAC is whose first block does not say: its last frame tells (RFC 9639, section 9.1)."""

from __future__ import annotations

from typing import BinaryIO, NamedTuple

TAIL = 1 << 20  # bytes at the end that hold a whole frame, whatever its size
RATES = {1: 88200, 2: 176400, 3: 192000, 4: 8000, 5: 16000, 6: 22050, 7: 24000, 8: 32000}
RATES |= {9: 44100, 10: 48000, 11: 96000}
DEPTHS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}


class Stream(NamedTuple):
    """What the first block of a FLAC says of all its frames."""

    rate: int
    channels: int
    bits: int
    block: int  # samples of a frame, where all have as many

    def made(self, code: int, layout: int) -> bool:
        """Say whether a frame with these codes may be one of this stream."""
        rate, depth, channels = code & 15, layout >> 1 & 7, layout >> 4
        told = (RATES.get(rate, self.rate), DEPTHS.get(depth, self.bits))
        return told == (self.rate, self.bits) and (channels + 1 if channels < 8 else 2) == self.channels


def count_samples(file: BinaryIO, size: int, stream: Stream) -> int:
    """Find the last frame and give the number of the sample after it; 0 if there is none."""
    file.seek(max(0, size - TAIL))
    tail = file.read(TAIL)
    place = len(tail)
    while (place := tail.rfind(b"\xff", 0, place)) >= 0:
        end = _end_of_frame(tail[place : place + 16], stream)
        if end:
            return end
    return 0


def _end_of_frame(head: bytes, stream: Stream) -> int:
    if len(head) < 16 or head[1] & 0xFE != 0xF8 or head[3] & 1 or not stream.made(head[2], head[3]):
        return 0
    number, place = _coded_number(head)
    size, place = _block_size(head, place)
    place += {12: 1, 13: 2, 14: 2}.get(head[2] & 15, 0)
    if not size or place >= len(head) or _checksum(head[:place]) != head[place]:
        return 0
    return (number if head[1] & 1 else number * stream.block) + size


def _coded_number(head: bytes) -> tuple[int, int]:
    """Read the number of a frame or sample, written as UTF-8 writes numbers; give it and the place after it."""
    first = head[4]
    more = next((i for i in range(8) if not first << i & 0x80), 8) - 1
    if more < 1:
        return first & 0x7F, 5
    number = first & (0x3F >> more)
    for each in head[5 : 5 + more]:
        number = number << 6 | each & 0x3F
    return number, 5 + more


def _block_size(head: bytes, place: int) -> tuple[int, int]:
    code = head[2] >> 4
    if code in (6, 7):
        width = code - 5
        return int.from_bytes(head[place : place + width], "big") + 1, place + width
    return {0: 0, 1: 192}.get(code, 576 << code - 2 if code < 6 else 256 << max(0, code - 8)), place


def _checksum(head: bytes) -> int:
    """Give the CRC-8 of a frame's head: polynomial x^8 + x^2 + x + 1."""
    found = 0
    for each in head:
        found ^= each
        for _ in range(8):
            found = found << 1 ^ (0x107 if found & 0x80 else 0)
    return found


def patch_of(block: bytes, samples: int) -> bytes:
    """Write the eight bytes of the first block that hold rate, form and the number of samples."""
    packed = int.from_bytes(block, "big") & ~0xFFFFFFFFF
    return (packed | samples).to_bytes(8, "big")
