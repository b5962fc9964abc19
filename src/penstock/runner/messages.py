"""Messages over a pipe between the runner and the processes that it forked."""

import marshal
import os
import struct
from typing import Any, List

HEAD = struct.Struct("<I")


def pack(message: Any) -> bytes:
    body = marshal.dumps(message)
    return HEAD.pack(len(body)) + body


def write_all(fd: int, data: bytes) -> None:
    """Write a packed message; BrokenPipeError when nobody can read it."""
    done = os.write(fd, data)
    while done < len(data):
        done += os.write(fd, data[done:])


class Inbox:
    """The reading end of a pipe."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._data = b""

    @property
    def partial(self) -> bool:
        """Return whether a message has begun and is not complete."""
        return bool(self._data)

    def read(self) -> List[Any]:
        """Read once; return the messages that are complete now. EOFError when the other end is closed."""
        try:
            part = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return []
        if not part:
            raise EOFError
        data = self._data + part
        messages: List[Any] = []
        begin = 0
        while len(data) - begin >= HEAD.size:
            end = begin + HEAD.size + HEAD.unpack_from(data, begin)[0]
            if end > len(data):
                break
            messages.append(marshal.loads(data[begin + HEAD.size : end]))
            begin = end
        self._data = data[begin:]
        return messages

    def wait(self) -> List[Any]:
        """Read until a message is complete."""
        while True:
            messages = self.read()
            if messages:
                return messages
