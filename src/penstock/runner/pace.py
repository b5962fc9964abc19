"""How much is on its way that nobody has written yet, which is what a cut loses: never more than a block.

Who receives acknowledges what it has written, and who sends stays that little ahead. SSH itself lets no more than a
block be on its way.
"""

from typing import IO, Callable, Iterable, Iterator

BLOCK = 2 << 20
STEP = 1 << 19  # bytes that are acknowledged together


def paced(pieces: Iterable[bytes], size: int, sink: IO[bytes], acks: Iterator[int]) -> Iterator[bytes]:
    """Yield `size` bytes as they may go into `sink`; end when the other side acknowledges no more."""
    sent = written = 0
    for piece in pieces:
        sent += len(piece)
        while size > BLOCK and written < sent - BLOCK:
            sink.flush()
            told = next(acks, None)
            if told is None:
                return
            written = told
        yield piece


class Receipt:
    """What was received and written, which is told now and then."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self.tell = tell
        self.written = self.told = 0

    def of(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield pieces; one is written when the next one is asked for."""
        for piece in pieces:
            yield piece
            self.written += len(piece)
            if self.written - self.told >= STEP:
                self.tell(self.written)
                self.told = self.written
