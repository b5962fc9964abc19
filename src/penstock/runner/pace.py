"""How much is on its way that nobody has written yet, which is what a cut loses: never more than a block.

Who receives acknowledges what it has written, and who sends stays that little ahead: the further, the longer the way.
SSH itself lets no more than a block be on its way.
"""

import time
from itertools import chain
from typing import IO, Callable, Iterable, Iterator

BLOCK = 2 << 20
NEAR = BLOCK // 4  # of it, where an answer comes at once
SPEED = 64 << 20  # bytes a second with which a long way is kept busy
FIRST = 1 << 10  # bytes by which the way is measured
STEP = 1 << 17  # bytes that are acknowledged together


def paced(pieces: Iterator[bytes], size: int, sink: IO[bytes], acks: Iterator[int]) -> Iterator[bytes]:
    """Yield `size` bytes as they may go into `sink`; end when the other side acknowledges no more."""
    if size <= NEAR:
        return pieces
    return Sender(sink, acks).measured(pieces)


class Sender:
    """What was sent, and what of it the other side has written."""

    def __init__(self, sink: IO[bytes], acks: Iterator[int]) -> None:
        self.sink, self.acks = sink, acks
        self.sent, self.written, self.room = 0, -1, NEAR

    def measured(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Measure the way by the first bytes, and yield all of them at its pace."""
        first = next(pieces)
        if not self.wait_for(0):
            return
        began = time.monotonic()
        yield from self.kept_ahead([first[:FIRST]])
        if self.wait_for(self.sent):
            self.room = room_for(time.monotonic() - began)
            yield from self.kept_ahead(chain([first[FIRST:]], pieces))

    def kept_ahead(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield pieces as there is room for them."""
        for piece in pieces:
            if not self.wait_for(self.sent + len(piece) - self.room):
                return
            self.sent += len(piece)
            yield piece

    def wait_for(self, written: int) -> bool:
        """Wait until so many bytes are written; return False when no more will be."""
        while self.written < written:
            self.sink.flush()
            told = next(self.acks, None)
            if told is None:
                return False
            self.written = told
        return True


def room_for(answer_s: float) -> int:
    """Return how much may be on its way where an answer takes so long.

    >>> [room_for(seconds) >> 10 for seconds in (0.0001, 0.016, 0.05)]
    [512, 1024, 2048]
    """
    return min(BLOCK, max(NEAR, int(answer_s * SPEED)))


class Receipt:
    """What was received and written, which is told now and then."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self.tell = tell
        self.written, self.told = 0, -1

    def of(self, take: Callable[[int], Iterable[bytes]], size: int) -> Iterator[bytes]:
        """Take so many bytes, the first of all by themselves; a piece is written when the next one is asked for."""
        self.acknowledge()
        first = 0 if self.written else min(FIRST, size)
        for piece in chain(take(first), take(size - first)):
            yield piece
            self.written += len(piece)
            self.acknowledge()

    def acknowledge(self) -> None:
        """Tell that this side is ready, that the first bytes are written, and then each step."""
        if self.written > self.told and (self.told <= 0 or self.written - self.told >= STEP):
            self.tell(self.written)
            self.told = self.written
