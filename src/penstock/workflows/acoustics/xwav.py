"""The raw blocks of a HARP's xwav: a recording with pauses in it, each block with its time.

(Wiggins, S. 2003, *Autonomous Acoustic Recording Packages*; the chunk `harp` as Triton writes it.)
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from penstock.workflows.acoustics.timeline import seconds

HEAD, BLOCK = 56, "<6BH4IB7x"  # bytes before the blocks; year … second, milliseconds, place, bytes, …
TOUCHING = 0.1  # seconds: HARPs count milliseconds, and their blocks follow one another


class Block(NamedTuple):
    """Samples of a file that were recorded without a pause; `begin` in seconds since 1970."""

    begin: float
    skip: int
    count: int


def read_blocks(chunk: bytes, data: int, align: int, frames: int) -> tuple[Block, ...]:
    """Read the times of the raw blocks, those that touch joined; `data` is where samples begin."""
    if len(chunk) < HEAD:
        return ()
    count = struct.unpack_from("<H", chunk, 36)[0]
    raw = (chunk[HEAD + 32 * i : HEAD + 32 * i + 32] for i in range(count))
    return tuple(_joined(_blocks((each for each in raw if len(each) == 32), data, align, frames)))


def _blocks(raw: Iterable[bytes], data: int, align: int, frames: int) -> Iterator[tuple[Block, float]]:
    for each in raw:
        year, month, day, hour, minute, second, ticks, place, length, _, rate, _ = struct.unpack(BLOCK, each)
        skip = (place - data) // align
        count = min(length // align, frames - skip)
        if count <= 0 or skip < 0 or not rate:
            continue
        begin = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC) + timedelta(
            milliseconds=ticks
        )
        yield Block(seconds(begin), skip, count), rate


def _joined(blocks: Iterable[tuple[Block, float]]) -> Iterator[Block]:
    held: Block | None = None
    for block, rate in blocks:
        if (
            held
            and block.skip == held.skip + held.count
            and abs(held.begin + held.count / rate - block.begin) < TOUCHING
        ):
            held = held._replace(count=held.count + block.count)
            continue
        if held:
            yield held
        held = block
    if held:
        yield held
