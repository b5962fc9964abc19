"""How much is on its way that is not written yet."""

import io
import os
import signal
from collections.abc import Iterator
from itertools import pairwise

import pytest

from penstock.runner import receiver
from penstock.runner.blocks import taken
from penstock.runner.pace import BLOCK, STEP, Receipt, paced

PIECE = 1 << 16


class Way:
    """A way that writes what was sent only when there is no other way to go on."""

    def __init__(self, size: int, *, most: int = 1 << 60) -> None:
        self.sink, self.pieces, self.most = io.BytesIO(), [bytes(PIECE)] * (size // PIECE), most
        self.sent = self.written = self.ahead = 0
        self.told = list[int]()
        self.receipt = Receipt(self.told.append)

    def acks(self) -> Iterator[int]:
        while self.written < self.most:
            while self.told:
                yield self.told.pop(0)
            assert self.written < self.sent, "it waits for nothing"
            [*self.receipt.of([bytes(PIECE)])]
            self.written += PIECE

    def send(self) -> int:
        for piece in paced(self.pieces, PIECE * len(self.pieces), self.sink, self.acks()):
            self.sent += len(piece)
            self.ahead = max(self.ahead, self.sent - self.written)
        return self.sent


def test_what_is_little_is_sent_without_waiting() -> None:
    assert Way(BLOCK, most=0).send() == BLOCK


def test_all_is_sent_and_never_more_than_a_block_is_on_its_way() -> None:
    way = Way(5 * BLOCK)
    assert way.send() == 5 * BLOCK
    assert way.ahead == BLOCK


def test_it_ends_when_no_more_is_acknowledged() -> None:
    assert Way(5 * BLOCK, most=BLOCK).send() <= 2 * BLOCK
    assert Way(5 * BLOCK, most=0).send() == BLOCK


def test_what_is_written_is_acknowledged_each_step_whichever_file_it_is_of() -> None:
    told = list[int]()
    receipt = Receipt(told.append)
    for size in (0, 3, STEP, 3 * STEP - 3):
        for _ in receipt.of(taken(io.BytesIO(bytes(size)), size)):
            pass
    assert all(later - earlier >= STEP for earlier, later in pairwise([0, *told]))
    assert told[-1] > 3 * STEP


def test_a_piece_is_acknowledged_when_the_next_one_is_asked_for() -> None:
    told = list[int]()
    pieces = Receipt(told.append).of([bytes(STEP), b"x"])
    assert (len(next(pieces)), told) == (STEP, [])
    assert (next(pieces), told) == (b"x", [STEP])


def test_a_receiver_whose_sender_is_silent_ends_and_keeps_nothing_locked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(receiver, "SILENT_S", 1)
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    if (child := os.fork()) == 0:
        with open(reading, "rb") as source:
            [*receiver.awaited(taken(source, 10))]
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGALRM
    os.close(reading)
    os.close(writing)
